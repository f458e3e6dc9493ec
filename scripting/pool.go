package scripting

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Why no VM could be had.
var (
	errQueueWait = errors.New("no virtual machine became free in time")
	errBusy      = errors.New("the component's only virtual machine is waiting for this call")
	errWaitEnded = errors.New("nobody waits any more")
)

// pool hands out the VMs of one generation. Its methods may be called
// concurrently.
//
// Two things are bounded: how many VMs there are, and how many of them compute
// at the same time. The second keeps a script that burns processor time from
// starving everything else in the process: however many calls it has, no more
// goroutines than that compete for the processors. A VM that waits inside
// router.call does not count there.
type pool struct {
	limits poolLimits
	create func() (*vm, error)

	mu        sync.Mutex
	idle      []*vm // the last is taken first, so that few are kept warm
	made      int   // VMs that exist, in use or idle
	computing int
	resuming  []chan struct{} // want to compute on
	waiting   []*poolWaiter   // want to begin, in order
	retired   bool            // nothing is kept any more
}

type poolLimits struct {
	vms, idle, calls, computing int
	single                      bool // vms = 1: ordinary state in one VM
}

// poolWaiter waits for a VM. ready gets one, or nil for leave to make one.
type poolWaiter struct{ ready chan *vm }

// acquire returns a VM that may compute. The caller must hand it to release.
//
// It waits no longer than wait and ctx. nested is for a call that another script
// waits for: it must not wait, because VMs that wait for each other would wait
// for ever.
func (p *pool) acquire(ctx context.Context, wait time.Duration, nested bool) (*vm, error) {
	p.mu.Lock()
	if nested && p.limits.single && len(p.idle) == 0 && p.made > 0 {
		p.mu.Unlock()
		return nil, errBusy
	}
	if nested || len(p.waiting) == 0 && p.free() {
		v := p.take()
		p.mu.Unlock()
		return p.orMake(v)
	}
	w := &poolWaiter{ready: make(chan *vm, 1)}
	p.waiting = append(p.waiting, w)
	p.mu.Unlock()

	timer := time.NewTimer(max(wait, 0))
	defer timer.Stop()
	err := errQueueWait
	select {
	case v := <-w.ready:
		return p.orMake(v)
	case <-timer.C:
	case <-ctx.Done():
		err = errWaitEnded
	}
	if p.forget(w) {
		return nil, err
	}
	return p.orMake(<-w.ready) // granted in the same moment
}

// free reports whether take may be called.
func (p *pool) free() bool {
	return p.computing < p.limits.computing && (len(p.idle) > 0 || p.made < p.limits.vms)
}

// take returns an idle VM, or nil for one that is to be made and counts already.
func (p *pool) take() *vm {
	p.computing++
	last := len(p.idle) - 1
	if last < 0 {
		p.made++
		return nil
	}
	v := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	return v
}

func (p *pool) orMake(v *vm) (*vm, error) {
	if v != nil {
		return v, nil
	}
	v, err := p.create()
	if err != nil {
		p.mu.Lock()
		p.made--
		p.computing--
		p.wake()
		p.mu.Unlock()
	}
	return v, err
}

// forget takes w out of the queue; false if it has been granted a VM.
func (p *pool) forget(w *poolWaiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.waiting {
		if other == w {
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// release takes a VM back, to be closed unless it is whole and may be kept.
func (p *pool) release(v *vm) {
	worn := v.calls >= p.limits.calls && !p.limits.single
	p.mu.Lock()
	p.computing--
	keep := !v.broken && !worn && !p.retired && len(p.idle) < p.limits.idle && p.made <= p.limits.vms
	if keep {
		p.idle = append(p.idle, v)
	} else {
		p.made--
	}
	p.wake()
	p.mu.Unlock()
	if !keep {
		v.close()
	}
}

// adopt puts the leader, which was made outside of the pool, into use.
func (p *pool) adopt() {
	p.mu.Lock()
	p.made++
	p.computing++
	p.mu.Unlock()
}

// pause is called before a VM waits, resume after: in between it does not count
// as computing.
func (p *pool) pause() {
	p.mu.Lock()
	p.computing--
	p.wake()
	p.mu.Unlock()
}

func (p *pool) resume() {
	p.mu.Lock()
	if p.computing < p.limits.computing && len(p.resuming) == 0 {
		p.computing++
		p.mu.Unlock()
		return
	}
	ready := make(chan struct{})
	p.resuming = append(p.resuming, ready)
	p.mu.Unlock()
	<-ready // those that compute are bounded in time
}

// wake lets go on who can, those first that have begun.
func (p *pool) wake() {
	for len(p.resuming) > 0 && p.computing < p.limits.computing {
		p.computing++
		close(p.resuming[0])
		p.resuming = p.resuming[1:]
	}
	for len(p.waiting) > 0 && len(p.resuming) == 0 && p.free() {
		w := p.waiting[0]
		p.waiting = p.waiting[1:]
		w.ready <- p.take()
	}
}

// retire closes the idle VMs; those in use are closed when they come back. VMs
// can still be had, by calls that began before.
func (p *pool) retire() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.made -= len(idle)
	p.retired = true
	p.mu.Unlock()
	for _, v := range idle {
		v.close()
	}
}
