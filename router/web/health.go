package web

import (
	"encoding/json"
	"net/http"
)

// report is the body of /healthz and /readyz.
type report struct {
	Status  string   `json:"status"` // "ok", "degraded" or "unready"
	Reasons []string `json:"reasons,omitempty"`
}

// health answers /healthz, whether the process lives, and /readyz, whether
// clients can log in.
func (l *listener) health(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "Only GET and HEAD are possible here.")
		return
	}
	answer, status := report{Status: "ok"}, http.StatusOK
	if r.URL.Path == "/readyz" {
		answer, status = l.server.readiness()
	}
	body, err := json.Marshal(answer)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "The answer can't be written.")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// An error means that the client is gone.
	_, _ = w.Write(append(body, '\n'))
}

// readiness asks the router and looks at the listeners.
func (s *Server) readiness() (report, int) {
	state := s.options.Health.Health()
	unready := state.Unready
	for _, l := range s.listeners {
		if err := l.failure(); err != nil {
			unready = append(unready[:len(unready):len(unready)], err.Error())
		}
		if c := l.site.Load().certificate; c != nil {
			if err := c.failed.Load(); err != nil {
				state.Degraded = append(state.Degraded[:len(state.Degraded):len(state.Degraded)], (*err).Error())
			}
		}
	}
	switch {
	case len(unready) > 0:
		return report{"unready", append(unready[:len(unready):len(unready)], state.Degraded...)}, http.StatusServiceUnavailable
	case len(state.Degraded) > 0:
		return report{"degraded", state.Degraded}, http.StatusOK
	}
	return report{Status: "ok"}, http.StatusOK
}
