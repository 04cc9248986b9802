CREATE AGGREGATE mysum (int) (SFUNC = int4pl, STYPE = int, INITCOND = '0'); SELECT mysum(g) FROM generate_series(1, 4) g;
