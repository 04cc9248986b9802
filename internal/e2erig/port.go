package e2erig

import "dragoman.dev/dragoman/internal/localserver"

// FreePort gives a port that nobody listens on, each one once; 0 when there is none.
func FreePort() int {
	port, _ := localserver.FreePort()
	return port
}
