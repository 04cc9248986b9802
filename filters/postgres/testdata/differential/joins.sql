CREATE TABLE a (id int, v text); CREATE TABLE b (id int, w text);
INSERT INTO a VALUES (1,'a'),(2,'b'),(3,NULL); INSERT INTO b VALUES (2,'x'),(3,'y'),(4,'z');
SELECT * FROM a JOIN b USING (id) ORDER BY 1;
SELECT * FROM a NATURAL LEFT JOIN b ORDER BY 1;
SELECT * FROM a FULL JOIN b ON a.id = b.id ORDER BY 1, 3;
SELECT * FROM a CROSS JOIN b ORDER BY 1, 3;
SELECT a.*, b FROM a RIGHT JOIN b ON a.id = b.id ORDER BY b.id;
