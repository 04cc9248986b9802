SELECT 1 AS a, 'x'::varchar(5) AS b, now() AS c, NULL AS d \gdesc
SELECT nosuch \gdesc
SELECT 1, 2 \gx
SELECT 'SELECT 42' \gexec
