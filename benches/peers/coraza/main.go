// Coraza beside tutela's firewall: reads requests as JSON lines, prints for each whether it was refused and by which
// rules, and what judging it costs in CPU time.
//
//	coraza -passes 7 DIRECTIVES < requests
//
// A line is {"name", "method", "target", "headers": [[name, value]...], "body", "cost"}; body and values are Base64.
// An answer is {"name", "refused", "rules", "median_us"}.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/corazawaf/coraza/v3"
)

type request struct {
	Name    string
	Method  string
	Target  string
	Headers [][2]string
	Body    string
	Cost    bool
	body    []byte
}

type answer struct {
	Name     string  `json:"name"`
	Refused  bool    `json:"refused"`
	Rules    []int   `json:"rules"`
	MedianUs float64 `json:"median_us,omitempty"`
}

// cpu is this process's, the garbage collector's with it.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func judge(waf coraza.WAF, r *request) (bool, []int) {
	tx := waf.NewTransaction()
	defer tx.Close()
	tx.ProcessConnection("127.0.0.1", 40000, "127.0.0.1", 443)
	tx.ProcessURI(r.Target, r.Method, "HTTP/1.1")
	for _, h := range r.Headers {
		tx.AddRequestHeader(h[0], h[1])
		if h[0] == "Host" {
			tx.SetServerName(h[1])
		}
	}
	interruption := tx.ProcessRequestHeaders()
	if interruption == nil && len(r.body) > 0 {
		it, _, err := tx.WriteRequestBody(r.body)
		if err != nil {
			panic(err)
		}
		interruption = it
	}
	if interruption == nil {
		it, err := tx.ProcessRequestBody()
		if err != nil {
			panic(err)
		}
		interruption = it
	}
	if interruption == nil {
		tx.AddResponseHeader("content-type", "application/json")
		interruption = tx.ProcessResponseHeaders(200, "HTTP/1.1")
	}
	tx.ProcessLogging()
	rules := []int{}
	for _, m := range tx.MatchedRules() {
		if m.Rule().ID() > 0 && m.Message() != "" {
			rules = append(rules, m.Rule().ID())
		}
	}
	return interruption != nil, rules
}

func cost(waf coraza.WAF, r *request, passes int) float64 {
	var costs []float64
	for range passes {
		begun, count := cpu(), 0
		for {
			judge(waf, r)
			count++
			if spent := cpu() - begun; spent > 50*time.Millisecond {
				costs = append(costs, float64(spent.Nanoseconds())/1e3/float64(count))
				break
			}
		}
	}
	slices.Sort(costs)
	return costs[len(costs)/2]
}

func main() {
	passes := flag.Int("passes", 7, "how often a cost is measured")
	flag.Parse()
	runtime.GOMAXPROCS(1)
	waf, err := coraza.NewWAF(coraza.NewWAFConfig().WithDirectivesFromFile(flag.Arg(0)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range info.Deps {
			if dependency.Path == "github.com/corazawaf/coraza/v3" {
				version = dependency.Version
			}
		}
	}
	out := json.NewEncoder(os.Stdout)
	_ = out.Encode(map[string]string{"version": version})
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if r.body, err = base64.StdEncoding.DecodeString(r.Body); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		for i := range r.Headers {
			value, err := base64.StdEncoding.DecodeString(r.Headers[i][1])
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			r.Headers[i][1] = string(value)
		}
		refused, rules := judge(waf, &r)
		said := answer{Name: r.Name, Refused: refused, Rules: rules}
		if r.Cost {
			said.MedianUs = cost(waf, &r, *passes)
		}
		_ = out.Encode(said)
	}
}
