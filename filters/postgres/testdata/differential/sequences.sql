CREATE SEQUENCE s START 5 INCREMENT 5 MAXVALUE 15;
SELECT nextval('s'), nextval('s'), currval('s'), lastval(); SELECT nextval('s'); SELECT nextval('s');
SELECT setval('s', 5, false), nextval('s');
ALTER SEQUENCE s RESTART; SELECT nextval('s');
