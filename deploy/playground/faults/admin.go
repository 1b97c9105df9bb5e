package faults

import (
	"encoding/json"
	"io"
	"net/http"
)

// Admin is the HTTP side on which faults are armed:
//
//	PUT    /rules/NAME   arm a rule (JSON, see Rule)        DELETE /rules/NAME   disarm it
//	GET    /rules        all, with their hits               DELETE /rules        disarm all
//	PUT    /gone         "refuse" or "hang"                 DELETE /gone         the server is back
//	POST   /cut          end every connection there is
//	GET    /counts       requests since the last reset      DELETE /counts       the same, and start anew
//	                     (?list=1: each of them)
func (p *Proxy) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /rules/{name}", func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err == nil {
			err = p.Rules.Arm(data, r.PathValue("name"))
		}
		done(w, err)
	})
	mux.HandleFunc("DELETE /rules/{name}", func(w http.ResponseWriter, r *http.Request) {
		p.Rules.Disarm(r.PathValue("name"))
		done(w, nil)
	})
	mux.HandleFunc("DELETE /rules", func(w http.ResponseWriter, r *http.Request) {
		p.Rules.Disarm("")
		done(w, nil)
	})
	mux.HandleFunc("GET /rules", func(w http.ResponseWriter, r *http.Request) { show(w, p.Rules.List()) })
	mux.HandleFunc("PUT /gone", func(w http.ResponseWriter, r *http.Request) {
		how, err := io.ReadAll(io.LimitReader(r.Body, 64))
		if err == nil {
			err = p.gate.leave(string(how))
		}
		done(w, err)
	})
	mux.HandleFunc("DELETE /gone", func(w http.ResponseWriter, r *http.Request) { done(w, p.gate.leave("")) })
	mux.HandleFunc("GET /gone", func(w http.ResponseWriter, r *http.Request) { show(w, p.gate.isGone()) })
	mux.HandleFunc("POST /cut", func(w http.ResponseWriter, r *http.Request) {
		p.gate.cut()
		done(w, nil)
	})
	counts := func(reset bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { show(w, p.Counts.Take(r.FormValue("list") != "", reset)) }
	}
	mux.HandleFunc("GET /counts", counts(false))
	mux.HandleFunc("DELETE /counts", counts(true))
	return mux
}

func done(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func show(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(value)
}
