// The identity provider of github.com/crewjam/saml, for tests.
//
//	samlidp PORT
//
// Users and services are put there by HTTP, as its documentation has it: PUT /users/NAME, PUT /services/NAME.
// It prints one line when it is ready.
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/crewjam/saml/logger"
	"github.com/crewjam/saml/samlidp"
	dsig "github.com/russellhaering/goxmldsig"
)

func main() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}
	about := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &about, &about, &key.PublicKey, key)
	if err != nil {
		log.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		log.Fatal(err)
	}
	own := url.URL{Scheme: "http", Host: "127.0.0.1:" + os.Args[1]}
	server, err := samlidp.New(samlidp.Options{URL: own, Key: key, Certificate: certificate, Logger: logger.DefaultLogger, Store: &samlidp.MemoryStore{}})
	if err != nil {
		log.Fatal(err)
	}
	// Its own default is SHA-1, which is refused.
	server.IDP.SignatureMethod = dsig.RSASHA256SignatureMethod
	listener, err := net.Listen("tcp", own.Host)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	log.Fatal(http.Serve(listener, server))
}
