SELECT g, md5(g::text) FROM generate_series(1, 20000) g;
