package wire

import "encoding/binary"

// begin and end put a message's header around what is appended between them.
func begin(dst []byte, typ byte) ([]byte, int) {
	return append(dst, typ, 0, 0, 0, 0), len(dst)
}

func end(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at+1:], uint32(len(dst)-at-1))
	return dst
}

func cstr(dst []byte, s string) []byte { return append(append(dst, s...), 0) }

// AppendMessage appends a message with the given body.
func AppendMessage(dst []byte, typ byte, body []byte) []byte {
	dst, at := begin(dst, typ)
	return end(append(dst, body...), at)
}

// AppendEmpty appends a message without a body.
func AppendEmpty(dst []byte, typ byte) []byte { return append(dst, typ, 0, 0, 0, 4) }

// AppendReady appends ReadyForQuery with the transaction state.
func AppendReady(dst []byte, tx byte) []byte { return append(dst, ReadyForQuery, 0, 0, 0, 5, tx) }

// AppendAuthOK appends AuthenticationOk, AppendAuthCleartext AuthenticationCleartextPassword.
func AppendAuthOK(dst []byte) []byte { return appendAuth(dst, 0) }

func AppendAuthCleartext(dst []byte) []byte { return appendAuth(dst, 3) }

func appendAuth(dst []byte, code uint32) []byte {
	dst, at := begin(dst, Authentication)
	return end(binary.BigEndian.AppendUint32(dst, code), at)
}

// AppendParameterStatus appends ParameterStatus.
func AppendParameterStatus(dst []byte, name, value string) []byte {
	dst, at := begin(dst, ParameterStatus)
	return end(cstr(cstr(dst, name), value), at)
}

// AppendKey appends BackendKeyData; in protocol 3.0 the secret has 4 bytes.
func AppendKey(dst []byte, pid uint32, secret []byte) []byte {
	dst, at := begin(dst, BackendKeyData)
	return end(append(binary.BigEndian.AppendUint32(dst, pid), secret...), at)
}

// AppendNegotiate appends NegotiateProtocolVersion: the newest version that is
// spoken, and the protocol options that are not known.
func AppendNegotiate(dst []byte, version uint32, options []string) []byte {
	dst, at := begin(dst, NegotiateVersion)
	dst = binary.BigEndian.AppendUint32(dst, version)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(options)))
	for _, o := range options {
		dst = cstr(dst, o)
	}
	return end(dst, at)
}

// AppendQuery appends a simple Query whose text is in two parts.
func AppendQuery(dst []byte, prefix string, text []byte) []byte {
	dst, at := begin(dst, Query)
	dst = append(append(dst, prefix...), text...)
	return end(append(dst, 0), at)
}

// AppendParse appends a Parse whose text is in two parts; types is the message's tail as it
// travels (the count and the OIDs).
func AppendParse(dst []byte, name, prefix string, text, types []byte) []byte {
	dst, at := begin(dst, Parse)
	dst = cstr(dst, name)
	dst = append(append(append(dst, prefix...), text...), 0)
	return end(append(dst, types...), at)
}

// AppendBindPlain appends a Bind without parameters, results in text.
func AppendBindPlain(dst []byte, portal, statement string) []byte {
	dst, at := begin(dst, Bind)
	dst = cstr(cstr(dst, portal), statement)
	return end(append(dst, 0, 0, 0, 0, 0, 0), at)
}

// AppendNamed appends a Describe or Close of a statement ('S') or portal ('P').
func AppendNamed(dst []byte, typ, what byte, name string) []byte {
	dst, at := begin(dst, typ)
	return end(cstr(append(dst, what), name), at)
}

// AppendExecute appends an Execute without a row limit.
func AppendExecute(dst []byte, portal string) []byte {
	dst, at := begin(dst, Execute)
	return end(append(cstr(dst, portal), 0, 0, 0, 0), at)
}

// AppendStartup appends a StartupMessage with parameters as name, value, name, value …
func AppendStartup(dst []byte, version uint32, params ...string) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, version)
	for _, p := range params {
		dst = cstr(dst, p)
	}
	dst = append(dst, 0)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at))
	return dst
}

// SSLRequest is the packet that asks for TLS.
func SSLRequest() []byte { return []byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f} }

// AppendCancel appends a CancelRequest.
func AppendCancel(dst []byte, pid uint32, secret []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(12+len(secret)))
	dst = binary.BigEndian.AppendUint32(dst, CancelCode)
	dst = binary.BigEndian.AppendUint32(dst, pid)
	return append(dst, secret...)
}
