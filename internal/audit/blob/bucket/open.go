package bucket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	tmtypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	gcblob "gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob"
)

// Lock asks for the object lock of an S3 bucket, which must have it turned on: until its time is over nobody removes or
// replaces a final body.
type Lock struct {
	For        time.Duration
	Compliance bool // not even an administrator of the bucket; else "governance"
	Now        func() time.Time
}

// Open opens a bucket by its URL, as gocloud.dev/blob documents them: s3://NAME?region=…&endpoint=…&use_path_style=true.
func Open(ctx context.Context, url string, lock Lock) (*Store, func() error, error) {
	b, err := gcblob.OpenBucket(ctx, url)
	if err != nil {
		return nil, nil, fmt.Errorf("bucket: %w", err)
	}
	ok, err := b.IsAccessible(ctx)
	if err == nil && !ok {
		err = errors.New("there is no such bucket")
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("bucket: %w", err), b.Close())
	}
	return New(b, Options{Final: lock.ask}), b.Close, nil
}

// ask sets the lock of an object that is about to be written.
func (l Lock) ask(as func(any) bool) error {
	if l.For <= 0 {
		return nil
	}
	var in *transfermanager.UploadObjectInput
	if !as(&in) {
		return errors.New("bucket: this kind has no object lock")
	}
	until := l.Now().Add(l.For)
	in.ObjectLockRetainUntilDate = &until
	in.ObjectLockMode = tmtypes.ObjectLockModeGovernance
	if l.Compliance {
		in.ObjectLockMode = tmtypes.ObjectLockModeCompliance
	}
	return nil
}
