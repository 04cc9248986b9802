package ship

import "context"

// Nodes are the ids of the connected nodes.
func (s *Server) Nodes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for p := range s.peers {
		ids = append(ids, p.node)
	}
	return ids
}

// EndSession asks the node that has a session to end it. It reports whether a
// connected node has it.
func (s *Server) EndSession(ctx context.Context, session, reason string) bool {
	s.mu.Lock()
	p := s.sessions[session]
	s.mu.Unlock()
	return p != nil && p.send(ctx, Control{Session: session, Reason: reason})
}

// EndByToken asks all connected nodes to end the sessions that were opened with a
// credential. It returns how many nodes were told.
func (s *Server) EndByToken(ctx context.Context, token, reason string) int {
	s.mu.Lock()
	peers := make([]*peer, 0, len(s.peers))
	for p := range s.peers {
		peers = append(peers, p)
	}
	s.mu.Unlock()
	n := 0
	for _, p := range peers {
		if p.send(ctx, Control{Token: token, Reason: reason}) {
			n++
		}
	}
	return n
}

func (p *peer) send(ctx context.Context, c Control) bool {
	select {
	case p.control <- c:
		return true
	case <-p.gone:
	case <-ctx.Done():
	}
	return false
}
