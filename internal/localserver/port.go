package localserver

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports are taken from here: below those that the kernel gives to outgoing connections and to listeners without a
// number, so that none of them takes one meanwhile.
const (
	firstPort = 20000
	ports     = 12000
)

// claims are held until the process ends: a port is handed out once.
var claims struct {
	sync.Mutex
	held []net.Listener
}

// FreePort gives a loopback port that nobody listens on and that no other call gets, in this process or another one of
// this machine, as long as this process lives. The error says that there is none.
func FreePort() (int, error) {
	for range ports {
		port := firstPort + rand.IntN(ports)
		// An abstract socket is a lock which the kernel drops with the process.
		claim, err := net.Listen("unix", fmt.Sprintf("@dragoman.port.%d", port))
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			claim.Close()
			continue
		}
		claims.Lock()
		claims.held = append(claims.held, claim)
		claims.Unlock()
		return port, l.Close()
	}
	return 0, errors.New("localserver: no free port")
}
