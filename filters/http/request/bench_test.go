package request

import "testing"

func BenchmarkParse(b *testing.B) {
	h := head("GET", "/api/v1/users/1234/orders?page=2&size=50", "accept: application/json", "accept-encoding: gzip, br", "user-agent: curl/8.0",
		"authorization: Bearer abc", "x-request-id: 550e8400-e29b-41d4-a716-446655440000", "x-forwarded-proto: https", "x-forwarded-for: 192.0.2.1", "cookie: a=b; c=d")
	b.ReportAllocs()
	for b.Loop() {
		r, err := Parse(h, Limits{})
		if err != nil {
			b.Fatal(err)
		}
		r.Action(nil)
	}
}
