SELECT aaa, bbb FROM nowhere;
SELECT nosuch FROM pg_class;
SELECT   nosuchfunction(1);
SELECT 1 WHERE 'é' = nosuch;
SELECT 'ééé', nosuch2;
