CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
SELECT 'ok'::mood, enum_range(NULL::mood), 'sad'::mood < 'happy'::mood;
SELECT 'angry'::mood;
ALTER TYPE mood ADD VALUE 'angry' BEFORE 'sad';
SELECT 'angry'::mood;
CREATE DOMAIN pos AS int CHECK (VALUE > 0);
SELECT 5::pos;
SELECT -5::pos, (-5)::pos;
