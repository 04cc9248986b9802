CREATE TABLE "Mixed Case" ("select" int, "a""b" text, "é" int);
INSERT INTO "Mixed Case" VALUES (1, 'x', 2);
SELECT "select", "a""b", é FROM "Mixed Case"; SELECT * FROM mixed;
SELECT 1 AS "x y", 2 AS select, 3 "4";
CREATE TABLE a_very_long_identifier_that_is_longer_than_sixty_three_characters_for_sure (a int);
