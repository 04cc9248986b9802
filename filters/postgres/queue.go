package postgres

// kind says what an entry of the account stands for: a message that went to the target (or was
// answered here instead), and with it what the target will answer.
type kind uint8

const (
	eQuery    kind = iota // simple Query: results, then ReadyForQuery
	eParse                // ParseComplete
	eBind                 // BindComplete
	eDescribe             // ParameterDescription (of a statement) and RowDescription or NoData
	eExecute              // rows, then CommandComplete, PortalSuspended or EmptyQueryResponse
	eClose                // CloseComplete
	eSync                 // ReadyForQuery
	eFunction             // FunctionCallResponse, then ReadyForQuery
	eInject               // nothing from the target: we answer with bytes of our own
	eAbort                // ErrorResponse of a message that we sent to make the target fail; ours goes in its place
)

// entry is one expected answer. Entries are answered in order.
type entry struct {
	kind     kind
	internal bool   // our own message: the answer is not for the client
	ready    bool   // eInject: ReadyForQuery follows the bytes
	pipeline uint64 // which the message belongs to; a pipeline ends with a Sync or Query
	action   uint64
	inject   []byte
	changes  []change
	runs     []*run    // eQuery: one a statement; eExecute, eBind: the portal's
	prepared *prepared // eParse, eDescribe of a statement
	portal   *portal   // eBind, eDescribe of a portal, eExecute
	prefix   int       // characters that our comment put before the statement's text
	at       int       // eQuery: which run the answers are for
}

// queue is a ring of entries. Removed entries keep their slices for reuse.
type queue struct {
	ring  []entry
	first int
	n     int
}

func (q *queue) len() int { return q.n }

// at is the i-th entry from the front; valid until the next push.
func (q *queue) at(i int) *entry { return &q.ring[(q.first+i)&(len(q.ring)-1)] }

func (q *queue) front() *entry {
	if q.n == 0 {
		return nil
	}
	return q.at(0)
}

// push adds a cleared entry of the kind; valid until the next push.
func (q *queue) push(k kind, pipeline uint64) *entry {
	if q.n == len(q.ring) {
		q.grow()
	}
	q.n++
	e := q.at(q.n - 1)
	*e = entry{kind: k, pipeline: pipeline, changes: e.changes[:0]}
	return e
}

func (q *queue) grow() {
	ring := make([]entry, max(4, 2*len(q.ring)))
	for i := range q.n {
		ring[i] = *q.at(i)
	}
	q.ring, q.first = ring, 0
}

// pop removes the front entry.
func (q *queue) pop() {
	e := q.at(0)
	*e = entry{changes: e.changes[:0]}
	q.first = (q.first + 1) & (len(q.ring) - 1)
	q.n--
}

// truncate removes the entries from the n-th on.
func (q *queue) truncate(n int) {
	for i := n; i < q.n; i++ {
		e := q.at(i)
		*e = entry{changes: e.changes[:0]}
	}
	q.n = n
}
