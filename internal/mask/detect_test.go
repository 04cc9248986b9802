package mask

import (
	"strings"
	"testing"
)

// found gives what one detector finds, in order.
func found(t testing.TB, name, text string) (out []string) {
	t.Helper()
	d, err := detectorByName(name)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; ; {
		m, ok := (detSet(1) << d).next([]byte(text), at)
		if !ok {
			return out
		}
		if m.start < at || m.end <= m.start || m.end > len(text) {
			t.Fatalf("%s in %q: match %+v from %d", name, text, m, at)
		}
		out = append(out, text[m.start:m.end])
		at = m.end
	}
}

// detectCase: what is to be found in a text; nothing for a negative.
type detectCase struct {
	text string
	want string // finds, joined by |
}

func checkDetector(t *testing.T, name string, cases []detectCase) {
	t.Helper()
	if len(cases) < 30 {
		t.Errorf("%d cases", len(cases))
	}
	for _, c := range cases {
		if got := strings.Join(found(t, name, c.text), "|"); got != c.want {
			t.Errorf("%s in %q: got %q, want %q", name, c.text, got, c.want)
		}
	}
}

func TestEmail(t *testing.T) {
	checkDetector(t, "email", []detectCase{
		{"alice@example.com", "alice@example.com"},
		{"a@b.co", "a@b.co"},
		{"Mail alice@example.com, please.", "alice@example.com"},
		{"alice@example.com.", "alice@example.com"},
		{"<alice.b+tag@mail.example.co.uk>", "alice.b+tag@mail.example.co.uk"},
		{`{"to":"o'brien@example.ie","n":1}`, "o'brien@example.ie"},
		{"'alice@example.com'", "alice@example.com"},
		{"x='alice@example.com'", "alice@example.com"},
		{"mailto:alice@example.com?subject=x", "alice@example.com"},
		{"https://x.org/?to=alice@example.com&a=b", "alice@example.com"},
		{"https://x.org/?to=alice%40example.com&a=b", "alice%40example.com"},
		{"a@b.com,c@d.org;e@f.net", "a@b.com|c@d.org|e@f.net"},
		{"line\nalice@example.com\nline", "alice@example.com"},
		{"jörg.müller@exämple.de", "jörg.müller@exämple.de"},
		{"用户@例子.公司", "用户@例子.公司"},
		{"пользователь@пример.рф", "пользователь@пример.рф"},
		{"a@xn--fsq.xn--0zwm56d", "a@xn--fsq.xn--0zwm56d"},
		{`"john doe"@example.com`, `"john doe"@example.com`},
		{"alice@[192.168.1.10]", "alice@[192.168.1.10]"},
		{"{alice@example.com,bob@example.com}", "alice@example.com|bob@example.com"},
		{"(1,alice@example.com)", "alice@example.com"},
		{"ALICE@EXAMPLE.COM", "ALICE@EXAMPLE.COM"},
		{"alice@example.com_old", "alice@example.com"},
		{"user_name%test@example.museum", "user_name%test@example.museum"},
		{"a_b-c@ex-ample.com", "a_b-c@ex-ample.com"},
		{"J\xf6rg@example.de", "J\xf6rg@example.de"}, // LATIN1
		{"a@b.com@c.com", "a@b.com"},
		{"alice@example", ""},
		{"root@localhost", ""},
		{"@example.com", ""},
		{"alice@", ""},
		{"alice @example.com", ""},
		{"pkg@1.2.3", ""},
		{"x/net@v0.1.0", ""},
		{"icon@2x.png", ""},
		{"a***@example.com", ""},
		{"@Override public void f.x()", ""},
		{"a@b.c", ""},
		{"@@@@@@@", ""},
		{"price @ 5.00", ""},
		{"a@.com", ""},
		{"", ""},
	})
}

func TestCard(t *testing.T) {
	checkDetector(t, "card", []detectCase{
		{"4111111111111111", "4111111111111111"},
		{"4111 1111 1111 1111", "4111 1111 1111 1111"},
		{"4111-1111-1111-1111", "4111-1111-1111-1111"},
		{"4111.1111.1111.1111", "4111.1111.1111.1111"},
		{"4111\u00a01111\u00a01111\u00a01111", "4111\u00a01111\u00a01111\u00a01111"},
		{"4111%201111%201111%201111", "4111%201111%201111%201111"},
		{"4222222222222", "4222222222222"},
		{"5555555555554444", "5555555555554444"},
		{"2223003122003222", "2223003122003222"},
		{"378282246310005", "378282246310005"},
		{"3782 822463 10005", "3782 822463 10005"},
		{"3714-496353-98431", "3714-496353-98431"},
		{"6011111111111117", "6011111111111117"},
		{"3530111333300000", "3530111333300000"},
		{"30569309025904", "30569309025904"},
		{"3056 930902 5904", "3056 930902 5904"},
		{"6200000000000005", "6200000000000005"},
		{"2200770239097761", "2200770239097761"},
		{"6759649826438453", "6759649826438453"},
		{`{"card":4111111111111111}`, "4111111111111111"},
		{`{"card":"4111111111111111","cvv":"123"}`, "4111111111111111"},
		{"https://x.org/pay?n=4111111111111111&e=12", "4111111111111111"},
		{"line\n4111111111111111\nline", "4111111111111111"},
		{"id 12 4111 1111 1111 1111 123", "4111 1111 1111 1111"},
		{"4111111111111111 5555555555554444", "4111111111111111|5555555555554444"},
		{"card4111111111111111", "4111111111111111"},
		{"card_4111111111111111_x", "4111111111111111"},
		{"cc=4111111111111111;", "4111111111111111"},
		{`say \n4111111111111111`, "4111111111111111"},
		{"4111111111111111.50", "4111111111111111"},
		{"4111111111111112", ""},
		{"1234567812345670", ""},
		{"0000000000000000", ""},
		{"9999999999999995", ""},
		{"41111111111111111111", ""},
		{"411111111111", ""},
		{"0.4111111111111111", ""},
		{"a4111111111111111f", ""},
		{"deadbeef4111111111111111", ""},
		{"2024-01-02 03:04:05.123456", ""},
		{"550e8400-e29b-41d4-a716-446655440000", ""},
		{"4111 1111 1111\n1111", ""},
		{"41 11 11 11 11 11 11 11", ""},
		{"4111/1111/1111/1111", ""},
		{"+4915112345678", ""},
		{"192.168.100.200", ""},
	})
}

func TestIBAN(t *testing.T) {
	checkDetector(t, "iban", []detectCase{
		{"DE89370400440532013000", "DE89370400440532013000"},
		{"DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 00"},
		{"de89 3704 0044 0532 0130 00", "de89 3704 0044 0532 0130 00"},
		{"DE89-3704-0044-0532-0130-00", "DE89-3704-0044-0532-0130-00"},
		{"GB82WEST12345698765432", "GB82WEST12345698765432"},
		{"GB82 WEST 1234 5698 7654 32", "GB82 WEST 1234 5698 7654 32"},
		{"FR1420041010050500013M02606", "FR1420041010050500013M02606"},
		{"NL91ABNA0417164300", "NL91ABNA0417164300"},
		{"BE68539007547034", "BE68539007547034"},
		{"NO9386011117947", "NO9386011117947"},
		{"CH9300762011623852957", "CH9300762011623852957"},
		{"AT611904300234573201", "AT611904300234573201"},
		{"ES9121000418450200051332", "ES9121000418450200051332"},
		{"IT60X0542811101000000123456", "IT60X0542811101000000123456"},
		{"PL61109010140000071219812874", "PL61109010140000071219812874"},
		{"SE4550000000058398257466", "SE4550000000058398257466"},
		{"MT84MALT011000012345MTLCAST001S", "MT84MALT011000012345MTLCAST001S"},
		{"SA0380000000608010167519", "SA0380000000608010167519"},
		{"BR1800360305000010009795493C1", "BR1800360305000010009795493C1"},
		{`{"iban":"DE89370400440532013000"}`, "DE89370400440532013000"},
		{"https://x.org/?iban=DE89370400440532013000&x=1", "DE89370400440532013000"},
		{"https://x.org/%3DDE89370400440532013000", "DE89370400440532013000"},
		{"pay to DE89370400440532013000.", "DE89370400440532013000"},
		{"a\nDE89370400440532013000\nb", "DE89370400440532013000"},
		{"DE89370400440532013000,NL91ABNA0417164300", "DE89370400440532013000|NL91ABNA0417164300"},
		{"IBAN: NL91 ABNA 0417 1643 00 (main)", "NL91 ABNA 0417 1643 00"},
		{"DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000", "DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000"},
		{"DE89370400440532013001", ""},
		{"DE8937040044053201300", ""},
		{"DE893704004405320130000", ""},
		{"XX89370400440532013000", ""},
		{"US89370400440532013000", ""},
		{"ADE89370400440532013000", ""},
		{"DE 89370400", ""},
		{"DEAD370400440532013000", ""},
		{"DE89", ""},
		{"IT IS A LONG SENTENCE WITHOUT NUMBERS IN IT", ""},
		{"NO 12 rooms were free in the house of my aunt", ""},
	})
}

func TestSSN(t *testing.T) {
	checkDetector(t, "us_ssn", []detectCase{
		{"123-45-6789", "123-45-6789"},
		{"123 45 6789", "123 45 6789"},
		{"123.45.6789", "123.45.6789"},
		{"123\u00a045\u00a06789", "123\u00a045\u00a06789"},
		{"SSN: 123-45-6789.", "123-45-6789"},
		{"SSN: 123456789", "123456789"},
		{"ssn=123456789", "123456789"},
		{"SSN number 123456789", "123456789"},
		{"Social Security No. 123456789", "123456789"},
		{`{"ssn":"123456789"}`, "123456789"},
		{`{"ssn": 123456789}`, "123456789"},
		{`{"a":"123-45-6789"}`, "123-45-6789"},
		{"a\n123-45-6789\nb", "123-45-6789"},
		{`a\n123-45-6789\n`, "123-45-6789"},
		{"https://x.org/?s=123-45-6789&a", "123-45-6789"},
		{"https://x.org/%20123-45-6789", "123-45-6789"},
		{"123-45-6789,234-56-7890", "123-45-6789|234-56-7890"},
		{"Suite 12 123-45-6789", "123-45-6789"},
		{"(123-45-6789)", "123-45-6789"},
		{"_123-45-6789_", "123-45-6789"},
		{"899-99-9999", "899-99-9999"},
		{"001-01-0001", "001-01-0001"},
		{"000-45-6789", ""},
		{"666-45-6789", ""},
		{"900-45-6789", ""},
		{"999-99-9999", ""},
		{"123-00-6789", ""},
		{"123-45-0000", ""},
		{"123456789", ""},
		{"SSN 000456789", ""},
		{"123-456-789", ""},
		{"1123-45-6789", ""},
		{"123-45-67890", ""},
		{"12-123-45-6789", ""},
		{"123-45-6789-1", ""},
		{"x123-45-6789", ""},
		{"123-45-6789x", ""},
		{"123-45 6789", ""},
		{"2024-01-2345", ""},
		{"order 987654321", ""},
	})
}

func TestPhone(t *testing.T) {
	checkDetector(t, "phone", []detectCase{
		{"+14155552671", "+14155552671"},
		{"+1 415 555 2671", "+1 415 555 2671"},
		{"+1 (415) 555-2671", "+1 (415) 555-2671"},
		{"+44 20 7946 0958", "+44 20 7946 0958"},
		{"+44 (0)20 7946 0958", "+44 (0)20 7946 0958"},
		{"+49-30-1234567", "+49-30-1234567"},
		{"+49 171/1234567", "+49 171/1234567"},
		{"+33.6.12.34.56.78", "+33.6.12.34.56.78"},
		{"tel:+14155552671", "+14155552671"},
		{"(415) 555-2671", "(415) 555-2671"},
		{"(415)555-2671", "(415)555-2671"},
		{"415-555-2671", "415-555-2671"},
		{"415.555.2671", "415.555.2671"},
		{"415 555 2671", "415 555 2671"},
		{"1-415-555-2671", "1-415-555-2671"},
		{"020 7946 0958", "020 7946 0958"},
		{"(020) 7946 0958", "(020) 7946 0958"},
		{"0171/1234567", "0171/1234567"},
		{"06 12 34 56 78", "06 12 34 56 78"},
		{"06.12.34.56.78", "06.12.34.56.78"},
		{"0049 30 1234567", "0049 30 1234567"},
		{"phone: 4155552671", "4155552671"},
		{"Tel. 1234567", "1234567"},
		{"mobile no 4155552671", "4155552671"},
		{`{"phone":"4155552671"}`, "4155552671"},
		{`{"p":"+14155552671"}`, "+14155552671"},
		{"https://x.org/?p=%2B1&q=415-555-2671", "415-555-2671"},
		{"a\n+14155552671\nb", "+14155552671"},
		{`a\n415-555-2671`, "415-555-2671"},
		{"+14155552671, +442079460958", "+14155552671|+442079460958"},
		{"call +14155552671.", "+14155552671"},
		{"4155552671", ""},
		{"115-555-2671", ""},
		{"415-155-2671", ""},
		{"2024-01-02", ""},
		{"01-02-2024", ""},
		{"01.02.2024 10:20", ""},
		{"2024-01-01T00:00:00+02:00", ""},
		{"1+12345678", ""},
		{"+1234567", ""},
		{"+0123456789", ""},
		{"+12345678901234567", ""},
		{"192.168.100.200", ""},
		{"010.020.030.040", ""},
		{"0.123456789", ""},
		{"4111-1111-1111-1111", ""},
		{"12-415-555-2671-3", ""},
		{"x415-555-2671", ""},
		{"123-45-6789", ""},
		{"order 1234567", ""},
		{"550e8400-e29b-41d4-a716-446655440000", ""},
	})
}

const testJWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"

func TestJWT(t *testing.T) {
	const none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."
	const jwe = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXZpdml2aXY.Y2lwaGVydGV4dA.dGFndGFndGFn"
	checkDetector(t, "jwt", []detectCase{
		{testJWT, testJWT},
		{"Bearer " + testJWT, testJWT},
		{"Authorization: Bearer " + testJWT + "\r\nHost: x", testJWT},
		{`{"token":"` + testJWT + `"}`, testJWT},
		{"https://x.org/?t=" + testJWT + "&x=1", testJWT},
		{"https://x.org/%3D" + testJWT, testJWT},
		{"a\n" + testJWT + "\nb", testJWT},
		{`a\n` + testJWT, testJWT},
		{testJWT + " and " + testJWT, testJWT + "|" + testJWT},
		{testJWT + ".", testJWT},
		{testJWT + ".Then", testJWT},
		{none, none},
		{jwe, jwe},
		{"(" + testJWT + ")", testJWT},
		{"{" + testJWT + ",x}", testJWT},
		{"token=" + testJWT, testJWT},
		{"'" + testJWT + "'", testJWT},
		{"eyJ0eXAiOiJKV1QifQ.e30.abc", "eyJ0eXAiOiJKV1QifQ.e30.abc"},
		{"/" + testJWT + "/", testJWT},
		{"日本" + testJWT, testJWT},
		{"eyJ", ""},
		{"eyJ.eyJ.eyJ", ""},
		{"eyJhbGciOiJIUzI1NiJ9", ""},
		{"eyJhbGciOiJIUzI1NiJ9.e30", ""},
		{"eyJmb28iOiJiYXIifQ.eyJmb28iOiJiYXIifQ.abc", ""},
		{"aeyJhbGciOiJIUzI1NiJ9.e30.abc", ""},
		{"eyJhbGciOiJIUzI1NiJ9..abc", ""},
		{"eyJ!!!!!!!!!!.a.b", ""},
		{"www.example.com", ""},
		{"eyJhbGciOiJIUzI1NiJ9 . e30 . abc", ""},
		{"hey Jude.x.y", ""},
		{"", ""},
	})
}

func TestAPIKey(t *testing.T) {
	alnum := "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"
	pem := "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc==\n-----END RSA PRIVATE KEY-----"
	checkDetector(t, "api_key", []detectCase{
		{"AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"},
		{"ASIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE"},
		{"ghp_" + alnum[:36], "ghp_" + alnum[:36]},
		{"github_pat_11ABCDEFG0" + alnum[:30], "github_pat_11ABCDEFG0" + alnum[:30]},
		{"glpat-" + alnum[:20], "glpat-" + alnum[:20]},
		{"sk_live_" + alnum[:24], "sk_live_" + alnum[:24]},
		{"rk_test_" + alnum[:24], "rk_test_" + alnum[:24]},
		{"xoxb-123456789012-abcdefABCDEF", "xoxb-123456789012-abcdefABCDEF"},
		{"AIza" + alnum[:35], "AIza" + alnum[:35]},
		{"sk-ant-api03-" + alnum[:30], "sk-ant-api03-" + alnum[:30]},
		{"sk-proj-" + alnum[:30], "sk-proj-" + alnum[:30]},
		{"npm_" + alnum[:36], "npm_" + alnum[:36]},
		{"SG." + alnum[:22] + "." + alnum[:30], "SG." + alnum[:22] + "." + alnum[:30]},
		{"hvs." + alnum[:24], "hvs." + alnum[:24]},
		{"hf_" + alnum[:34], "hf_" + alnum[:34]},
		{pem, pem},
		{"x\n" + pem + "\ny", pem},
		{"-----BEGIN PRIVATE KEY-----\nMIIE", "-----BEGIN PRIVATE KEY-----\nMIIE"},
		{"-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----.", "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----"},
		{"key=AKIAIOSFODNN7EXAMPLE;", "AKIAIOSFODNN7EXAMPLE"},
		{`{"k":"AKIAIOSFODNN7EXAMPLE"}`, "AKIAIOSFODNN7EXAMPLE"},
		{"https://x.org/?k=AKIAIOSFODNN7EXAMPLE&z=1", "AKIAIOSFODNN7EXAMPLE"},
		{"https://x.org/%3DAKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"},
		{"a\nAKIAIOSFODNN7EXAMPLE\nb", "AKIAIOSFODNN7EXAMPLE"},
		{`a\nAKIAIOSFODNN7EXAMPLE`, "AKIAIOSFODNN7EXAMPLE"},
		{"my_AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"},
		{"password=Zx81kQ99vbT04rLw", "Zx81kQ99vbT04rLw"},
		{`"api_key": "Zx81kQ99vbT04rLw"`, "Zx81kQ99vbT04rLw"},
		{"client_secret: Zx81kQ99vbT04rLw", "Zx81kQ99vbT04rLw"},
		{"Authorization: Bearer Zx81kQ99vbT04rLw", "Zx81kQ99vbT04rLw"},
		{"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
		{"AKIAIOSFODNN7EXAMPL", ""},
		{"AKIAIOSFODNN7EXAMPLEX", ""},
		{"xAKIAIOSFODNN7EXAMPLE", ""},
		{"ghp_short", ""},
		{"sk-learn is a library", ""},
		{"sk_live_", ""},
		{"SG.short.x", ""},
		{"password=hunter2", ""},
		{"password must have sixteencharacters1", ""},
		{"password: correct horse battery staple", ""},
		{"token=aaaaaaaaaaaaaaaaaaaaa", ""},
		{"the secret of the pyramids", ""},
		{"-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----", ""},
		{"-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----", ""},
		{"Zx81kQ99vbT04rLw", ""},
		{"npm_config_registry", ""},
	})
}
