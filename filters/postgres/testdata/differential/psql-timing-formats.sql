\pset format csv
SELECT 1 a, 'x,y' b;
\pset format html
SELECT 1 a;
\pset null '<null>'
\pset format unaligned
SELECT NULL, '';
