package sqlindex

import "context"

// Tidy has the store look at what it holds, after much was written at once, so that questions are answered quickly.
func (x *Index) Tidy(ctx context.Context) error {
	for _, q := range x.d.tidy() {
		if _, err := x.db.ExecContext(ctx, q); err != nil {
			return failed("tidy", err)
		}
	}
	return nil
}

// Size is how many bytes the store takes.
func (x *Index) Size(ctx context.Context) (n int64, err error) {
	if err = x.rdb.QueryRowContext(ctx, x.d.size()).Scan(&n); err != nil {
		return 0, failed("size", err)
	}
	return n, nil
}
