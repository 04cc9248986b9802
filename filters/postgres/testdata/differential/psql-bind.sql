SELECT $1::int + $2::int \bind 1 2 \g
SELECT $1::text \bind 'x y' \g
SELECT $1::int \bind abc \g
SELECT $1 \bind 'untyped' \g
