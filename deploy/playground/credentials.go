package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"strings"

	"serin.dev/playground/faults"
)

// writeCredentials makes the service account key, the API server's certificate and the admin's token unless a former start left
// them (tokens of a cluster that is kept stay good), and the kubeconfig. It gives the admin's token.
func (c *cluster) writeCredentials() (token string, err error) {
	err = c.unlessThere("serviceaccount.key", func() ([]byte, error) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		return privateKey(key)
	})
	if err != nil {
		return "", err
	}
	if err = c.writeCertificate(); err != nil {
		return "", err
	}
	err = c.unlessThere("tokens.csv", func() ([]byte, error) {
		secret := make([]byte, 16)
		rand.Read(secret)
		return fmt.Appendf(nil, "%s,admin,admin,system:masters\n", hex.EncodeToString(secret)), nil
	})
	if err != nil {
		return "", err
	}
	tokens, err := os.ReadFile(c.file("tokens.csv"))
	if err != nil {
		return "", err
	}
	token, _, _ = strings.Cut(string(tokens), ",")
	return token, writeKubeconfig(c.file("kubeconfig"), fmt.Sprintf("https://127.0.0.1:%d", c.port), c.file("certs", "apiserver.crt"), token)
}

// writeCertificate saves the API server from making one itself: an RSA key costs it much of its start, and something in each handshake.
func (c *cluster) writeCertificate() error {
	if _, err := os.Stat(c.file("certs", "apiserver.crt")); err == nil {
		return nil
	}
	certificate, authority, err := faults.Certificate("kubernetes", "kubernetes.default", "kubernetes.default.svc")
	if err != nil {
		return err
	}
	key, err := privateKey(certificate.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.file("certs"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(c.file("certs", "apiserver.key"), key, 0o600); err != nil {
		return err
	}
	return os.WriteFile(c.file("certs", "apiserver.crt"), authority, 0o600)
}

func privateKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), err
}

func (c *cluster) unlessThere(name string, make func() ([]byte, error)) error {
	if _, err := os.Stat(c.file(name)); err == nil {
		return nil
	}
	data, err := make()
	if err != nil {
		return err
	}
	return os.WriteFile(c.file(name), data, 0o600)
}

func writeKubeconfig(path, server, authority, token string) error {
	return os.WriteFile(path, fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: playground
clusters:
- name: playground
  cluster: {server: %q, certificate-authority: %q}
users:
- name: admin
  user: {token: %q}
contexts:
- name: playground
  context: {cluster: playground, user: admin}
`, server, authority, token), 0o600)
}
