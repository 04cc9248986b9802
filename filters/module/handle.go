package main

import (
	"sync"
	"sync/atomic"
)

// handles gives objects to Envoy as integers, because Envoy may not keep Go
// pointers. Reading is free of locks. Handle 0 is none.
type handles[T any] struct {
	mu     sync.Mutex
	free   []uint32
	next   uint32
	chunks [handleChunks]atomic.Pointer[[handleChunk]atomic.Pointer[T]]
}

// At most handleChunks*handleChunk (4 Mi) objects live at a time.
const (
	handleChunk  = 1024
	handleChunks = 4096
)

// add returns v's handle, or 0 when there are too many.
func (h *handles[T]) add(v *T) uintptr {
	h.mu.Lock()
	defer h.mu.Unlock()
	var i uint32
	switch n := len(h.free); {
	case n > 0:
		i, h.free = h.free[n-1], h.free[:n-1]
	case h.next == handleChunk*handleChunks:
		return 0
	default:
		i = h.next
		h.next++
	}
	chunk := &h.chunks[i/handleChunk]
	if chunk.Load() == nil {
		chunk.Store(new([handleChunk]atomic.Pointer[T]))
	}
	chunk.Load()[i%handleChunk].Store(v)
	return uintptr(i) + 1
}

// get returns nil for a handle that is not in use.
func (h *handles[T]) get(handle uintptr) *T {
	if slot := h.slot(handle); slot != nil {
		return slot.Load()
	}
	return nil
}

func (h *handles[T]) remove(handle uintptr) {
	slot := h.slot(handle)
	if slot == nil || slot.Swap(nil) == nil {
		return
	}
	h.mu.Lock()
	h.free = append(h.free, uint32(handle-1))
	h.mu.Unlock()
}

func (h *handles[T]) slot(handle uintptr) *atomic.Pointer[T] {
	if handle == 0 || handle > handleChunk*handleChunks {
		return nil
	}
	i := handle - 1
	chunk := h.chunks[i/handleChunk].Load()
	if chunk == nil {
		return nil
	}
	return &chunk[i%handleChunk]
}
