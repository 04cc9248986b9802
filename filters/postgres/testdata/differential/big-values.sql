SELECT length(repeat('x', 10000000)), md5(repeat('y', 5000000));
SELECT repeat('abcdefghij', 200000);
CREATE TABLE t (v text); INSERT INTO t SELECT repeat('z', 3000000); SELECT length(v), v FROM t;
