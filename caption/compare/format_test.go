package compare

import "testing"

func TestFormat(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{number(0), "0"}, {number(999), "999"}, {number(1000), "1,000"}, {number(-1234567), "-1,234,567"}, {number(-123), "-123"},
		{fixed(-0.04, 1), "0.0"}, {fixed(-1.25, 2), "−1.25"}, {signed(2, 0), "+2"}, {signed(-2.5, 1), "−2.5"}, {signed(0.04, 1), "0.0"},
		{percent(0.123456), "12.3\u00a0%"}, {counted(1200, 4000), "1,200 (30.0\u00a0%)"}, {counted(0, 0), "0"},
		{value(41), "41"}, {value(0.95187), "0.95"}, {plural(1, "picture", "pictures"), "1 picture"}, {list([]string{"a", "b", "c"}), "a, b and c"},
		{clip("äöü", 3), "äöü"}, {clip("äö üß", 4), "äö…"}, {quoted("a\n\u202e\"b\""), `a\n\u202e"b"`},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
