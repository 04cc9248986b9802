package token

import (
	"context"
	"fmt"
)

// Copy puts the tokens and revocations of from into to, where they are not there yet, and says how many it put.
func Copy(ctx context.Context, from, to *Store) (n int64, err error) {
	const columns = `id, identity, targets, issued, expires, by_whom`
	rows, err := from.db.QueryContext(ctx, `SELECT `+columns+` FROM token`)
	if err != nil {
		return 0, fmt.Errorf("token: copying: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, identity, targets, by string
		var issued, expires int64
		if err := rows.Scan(&id, &identity, &targets, &issued, &expires, &by); err != nil {
			return n, fmt.Errorf("token: copying: %w", err)
		}
		res, err := to.db.ExecContext(ctx, to.d.bind(`INSERT INTO token (`+columns+`) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`),
			id, identity, targets, issued, expires, by)
		if err != nil {
			return n, fmt.Errorf("token: copying: %w", err)
		}
		put, err := res.RowsAffected()
		if err != nil {
			return n, fmt.Errorf("token: copying: %w", err)
		}
		n += put
	}
	if err := rows.Err(); err != nil {
		return n, fmt.Errorf("token: copying: %w", err)
	}
	all, err := from.revocations(ctx, `SELECT `+revocationColumns+` FROM revocation ORDER BY id`)
	if err != nil {
		return n, fmt.Errorf("token: copying: %w", err)
	}
	for _, r := range all {
		var there int64
		if err := to.db.QueryRowContext(ctx, to.d.bind(`SELECT count(*) FROM revocation WHERE token_id = ? AND subject = ? AND at = ?`),
			r.TokenID, r.Subject, r.At.UnixNano()).Scan(&there); err != nil {
			return n, fmt.Errorf("token: copying: %w", err)
		}
		if there > 0 {
			continue
		}
		if _, err := to.d.revoke(ctx, to.db, r); err != nil {
			return n, fmt.Errorf("token: copying: %w", err)
		}
		n++
	}
	return n, nil
}
