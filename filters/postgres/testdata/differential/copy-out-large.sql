COPY (SELECT g, repeat('x', 100) FROM generate_series(1, 5000) g) TO STDOUT;
