package estimate

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	driverMySQL "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestSaidBy: what a server says of a statement, values of it among that, goes into no log.
func TestSaidBy(t *testing.T) {
	const value = "123-45-6789"
	for code, err := range map[string]error{
		"22P02": &pgconn.PgError{Code: "22P02", Message: `invalid input syntax for type integer: "` + value + `"`, Detail: value},
		"1525":  fmt.Errorf("asking: %w", &driverMySQL.MySQLError{Number: 1525, Message: "Incorrect DATE value: '" + value + "'"}),
	} {
		if got := saidBy(err).Error(); strings.Contains(got, value) || !strings.Contains(got, code) {
			t.Error(got)
		}
	}
	if unfit := fmt.Errorf("%w: x", ErrUnfit); !errors.Is(saidBy(unfit), ErrUnfit) || saidBy(nil) != nil {
		t.Error("what is ours is changed")
	}
}
