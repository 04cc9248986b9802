package exporttest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"time"
)

// archive is the part of HTTP Archive 1.2 (http://www.softwareishard.com/blog/har-12-spec) that every archive has; a
// pointer is a field that may not be left out.
type archive struct {
	Log *struct {
		Version *string
		Creator *struct{ Name, Version *string }
		Entries *[]entry
	}
}

type entry struct {
	StartedDateTime *time.Time
	Time            *float64
	Request         *struct {
		Method, URL, HTTPVersion *string
		Cookies                  *[]pair
		Headers                  *[]pair
		QueryString              *[]pair
		PostData                 *struct {
			MimeType, Text *string
			Params         *[]pair
		}
		HeadersSize, BodySize *int64
	}
	Response *struct {
		Status                               *int
		StatusText, HTTPVersion, RedirectURL *string
		Cookies                              *[]pair
		Headers                              *[]pair
		Content                              *struct {
			Size     *int64
			MimeType *string
		}
		HeadersSize, BodySize *int64
	}
	Cache   *struct{}
	Timings *struct{ Send, Wait, Receive *float64 }
}

type pair struct{ Name, Value *string }

// HAR lists what is wrong with an archive by HAR 1.2, nothing if it is valid, and gives the number of its entries.
func HAR(b []byte) (entries int, found []string) {
	var a archive
	if err := json.Unmarshal(b, &a); err != nil {
		return 0, []string{err.Error()}
	}
	need := func(where string, there ...bool) {
		for i, ok := range there {
			if !ok {
				found = append(found, fmt.Sprintf("%s: field %d is missing", where, i))
			}
		}
	}
	if a.Log == nil || a.Log.Entries == nil {
		return 0, []string{"no log, or no entries"}
	}
	need("log", a.Log.Version != nil && *a.Log.Version == "1.2", a.Log.Creator != nil && a.Log.Creator.Name != nil && a.Log.Creator.Version != nil)
	for i, e := range *a.Log.Entries {
		at := fmt.Sprintf("entry %d", i)
		if e.Request == nil || e.Response == nil {
			found = append(found, at+": no request or no response")
			continue
		}
		q, r := e.Request, e.Response
		need(at, e.StartedDateTime != nil && !e.StartedDateTime.IsZero(), e.Time != nil && *e.Time >= 0, e.Cache != nil,
			e.Timings != nil && e.Timings.Send != nil && e.Timings.Wait != nil && e.Timings.Receive != nil)
		need(at+" request", q.Method != nil && *q.Method != "", q.URL != nil && absolute(*q.URL), q.HTTPVersion != nil, q.Cookies != nil, whole(q.Headers), whole(q.QueryString),
			q.HeadersSize != nil, q.BodySize != nil, q.PostData == nil || q.PostData.MimeType != nil && (q.PostData.Text != nil || q.PostData.Params != nil))
		need(at+" response", r.Status != nil, r.StatusText != nil, r.HTTPVersion != nil, r.Cookies != nil, whole(r.Headers), r.RedirectURL != nil,
			r.HeadersSize != nil, r.BodySize != nil, r.Content != nil && r.Content.Size != nil && r.Content.MimeType != nil)
	}
	return len(*a.Log.Entries), found
}

func absolute(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs() && u.Host != ""
}

func whole(list *[]pair) bool {
	if list == nil {
		return false
	}
	for _, p := range *list {
		if p.Name == nil || p.Value == nil {
			return false
		}
	}
	return true
}
