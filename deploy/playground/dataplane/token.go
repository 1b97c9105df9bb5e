package dataplane

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const tokenLife = time.Minute

var tokenHead = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`))

type claims struct {
	Name    string `json:"name"`
	Issuer  string `json:"iss"`
	Expires int64  `json:"exp"`
}

func (p *podinfo) sign(text string) string {
	digest := hmac.New(sha256.New, p.secret)
	digest.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(digest.Sum(nil))
}

func (p *podinfo) token(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err != nil {
		answer(w, http.StatusOK, map[string]any{"code": http.StatusBadRequest, "message": "invalid request body"})
		return
	}
	name, expires := "anonymous", time.Now().Add(tokenLife)
	if len(body) > 0 {
		name = string(body)
	}
	text, _ := json.Marshal(claims{Name: name, Issuer: "podinfo", Expires: expires.Unix()})
	unsigned := tokenHead + "." + base64.RawURLEncoding.EncodeToString(text)
	answer(w, http.StatusOK, map[string]string{"token": unsigned + "." + p.sign(unsigned), "expires_at": expires.Format(time.RFC3339)})
}

// validate refuses with status 200 and the code in the body, as podinfo does.
func (p *podinfo) validate(w http.ResponseWriter, r *http.Request) {
	given, err := p.read(r.Header.Get("Authorization"))
	if err != nil {
		answer(w, http.StatusOK, map[string]any{"code": http.StatusUnauthorized, "message": err.Error()})
		return
	}
	answer(w, http.StatusOK, map[string]string{"token_name": given.Name, "expires_at": time.Unix(given.Expires, 0).Format(time.RFC3339)})
}

func (p *podinfo) read(authorization string) (given claims, err error) {
	token, found := strings.CutPrefix(authorization, "Bearer ")
	end := strings.LastIndex(token, ".")
	if !found || end < 0 {
		return given, fmt.Errorf("authorization bearer header required")
	}
	unsigned, signature := token[:end], token[end+1:]
	head, body, _ := strings.Cut(unsigned, ".")
	if head != tokenHead || !hmac.Equal([]byte(signature), []byte(p.sign(unsigned))) {
		return given, fmt.Errorf("invalid token")
	}
	text, err := base64.RawURLEncoding.DecodeString(body)
	if err == nil {
		err = json.Unmarshal(text, &given)
	}
	if err != nil {
		return given, fmt.Errorf("invalid token: %w", err)
	}
	if given.Issuer != "podinfo" || time.Now().Unix() > given.Expires {
		return given, fmt.Errorf("token is expired")
	}
	return given, nil
}
