SELECT g % 2 AS r, g AS c, g * g AS v FROM generate_series(1, 4) g \crosstabview
