package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"dragoman.dev/dragoman/envoy/envoytest"
)

// httpTarget answers with the head that it was sent, and then the body.
func httpTarget(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Echo-Seen", r.Header.Get("X-Seen"))
		w.Header().Set("Echo-Do", r.Header.Get("X-Do"))
		w.Header().Set("Echo-Config", r.Header.Get("X-Config"))
		io.Copy(w, r.Body)
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func startHTTP(t *testing.T) (*envoytest.Envoy, string) {
	t.Helper()
	e := envoytest.Start(t, envoytest.Config{
		Tags: tag,
		Listeners: []*listenerv3.Listener{
			envoytest.Listener("l", envoytest.HTTPManager(t, "target", envoytest.HTTPFilter(t, "obey", []byte("this config")))),
		},
		Clusters: []*clusterv3.Cluster{envoytest.Cluster("target", httpTarget(t))},
	})
	return e, "http://" + e.Addr("l")
}

func ask(t *testing.T, client *http.Client, url, do, body string) (*http.Response, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/some/path?q=1", r)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Do", do)
	res, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	return res, string(got), err
}

// h2c speaks HTTP/2 without TLS.
func h2c() *http.Client {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: p}}
}

func TestHTTP(t *testing.T) {
	e, url := startHTTP(t)
	big := strings.Repeat("abcdefghij", 1<<18) // 2.5 MiB: more than Envoy buffers
	for name, client := range map[string]*http.Client{"HTTP/1.1": {}, "HTTP/2": h2c()} {
		for _, do := range []string{"", "post", "upper"} {
			for _, body := range []string{"", "hello", big} {
				res, got, err := ask(t, client, url, do, body)
				if err != nil || res.StatusCode != 200 {
					t.Fatal(name, do, len(body), len(got), res.StatusCode, err)
				}
				want := body
				if do == "upper" {
					want = strings.ToUpper(body)
				}
				if got != want {
					t.Fatalf("%s %q: %d bytes, want %d", name, do, len(got), len(want))
				}
				if seen := res.Header.Get("Echo-Seen"); seen != "POST /some/path?q=1 "+name {
					t.Errorf("%q", seen)
				}
				if res.Header.Get("Echo-Do") != "" || res.Header.Get("Echo-Config") != "this config" {
					t.Error(res.Header)
				}
				if _, _, err := net.SplitHostPort(res.Header.Get("X-Upstream")); err != nil {
					t.Error(err)
				}
			}
		}
		res, got, err := ask(t, client, url, "deny", "body")
		if err != nil || res.StatusCode != 403 || got != "no\n" || fmt.Sprint(res.Header["X-Why"]) != "[told to]" {
			t.Error(name, res, got, err)
		}
		if res, got, err := ask(t, client, url, "head", ""); err != nil || res.Header.Get("Grpc-Status") != "7" || got != "" {
			t.Error(name, res, err)
		}
	}
	_ = e
}

// TestHTTPPanics: a panic ends its stream, and no other.
func TestHTTPPanics(t *testing.T) {
	e, url := startHTTP(t)
	client := h2c()
	read, write := io.Pipe()
	req, _ := http.NewRequest(http.MethodPost, url+"/other", read)
	other := make(chan string)
	go func() {
		res, err := client.Do(req)
		if err != nil {
			other <- err.Error()
			return
		}
		var b bytes.Buffer
		io.Copy(&b, res.Body)
		other <- b.String()
	}()
	io.WriteString(write, "before ")
	want := 0
	for _, do := range []string{"panic", "panic-post", "panic-body", "panic-response"} {
		res, _, err := ask(t, client, url, do, "x")
		want++
		if do == "panic-response" {
			if err == nil && res.StatusCode < 500 {
				t.Error(do, res)
			}
			continue
		}
		if err != nil || res.StatusCode != 500 {
			t.Error(do, res, err)
		}
	}
	io.WriteString(write, "after")
	write.Close()
	if got := <-other; got != "before after" {
		t.Error("another stream of the connection:", got)
	}
	eventually(t, func() error {
		if n := e.Stat("dynamicmodulescustom." + panicsCounter); n != uint64(want) {
			return fmt.Errorf("%d panics counted, want %d", n, want)
		}
		return nil
	})
	if res, got, err := ask(t, client, url, "", "still there"); err != nil || got != "still there" {
		t.Error(res, err)
	}
}

// TestHTTPGone: what is posted to a stream that is gone is not run, and nothing breaks.
func TestHTTPGone(t *testing.T) {
	e, url := startHTTP(t)
	for range 50 {
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "POST /x HTTP/1.1\r\nHost: a\r\nX-Do: post\r\nContent-Length: 100\r\n\r\nabc")
		time.Sleep(time.Millisecond)
		c.Close()
	}
	time.Sleep(50 * time.Millisecond)
	if _, got, err := ask(t, http.DefaultClient, url, "post", "hello"); err != nil || got != "hello" {
		t.Error(got, err)
	}
	_ = e
}
