package replay

import "dragoman.dev/dragoman/internal/sshwire"

// kubernetes is a session of API requests, or one of the bridge, which is recorded as SSH channels are. The first
// message tells: the bridge begins with a request, and no HTTP message has that form.
type kubernetes struct{ of Protocol }

// Request implements Protocol.
func (k *kubernetes) Request(b []byte, emit func(Event) error) error {
	return k.tell(b).Request(b, emit)
}

// Response implements Protocol.
func (k *kubernetes) Response(b []byte, emit func(Event) error) error {
	return k.tell(b).Response(b, emit)
}

func (k *kubernetes) tell(b []byte) Protocol {
	if k.of == nil {
		k.of = httpExchanges{}
		if m, err := sshwire.Parse(b); err == nil && m.Number == sshwire.MsgRequest {
			k.of = newSSH()
		}
	}
	return k.of
}
