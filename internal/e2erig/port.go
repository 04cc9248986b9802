package e2erig

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// handed are the ports that FreePort gave.
var handed sync.Map

// FreePort gives a port that nobody listens on, each one once; 0 when there is none. It is below those that
// the kernel gives to outgoing connections, so that none of them takes it meanwhile.
func FreePort() int {
	for range 1000 {
		port := 20000 + rand.IntN(12000)
		if _, taken := handed.LoadOrStore(port, true); taken {
			continue
		}
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	return 0
}
