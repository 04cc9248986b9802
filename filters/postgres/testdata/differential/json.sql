SELECT '{"a": [1, {"b": null}]}'::json -> 'a' -> 1, '{"a": 1}'::jsonb || '{"b": 2}', jsonb_set('{"a":1}', '{a}', '2'), jsonb_path_query('[1,2,3]', '$[*] ? (@ > 1)');
SELECT * FROM jsonb_each('{"x": 1, "y": "z"}'), json_array_elements('[1,2]') e;
SELECT * FROM jsonb_to_recordset('[{"a":1,"b":"x"}]') AS t(a int, b text);
SELECT json_build_object('k', ARRAY[1,2]), json_agg(g), jsonb_pretty('{"a":[1]}') FROM generate_series(1,2) g;
