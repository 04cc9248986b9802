SELECT CASE WHEN true THEN 1 ELSE 2 END, CASE 3 WHEN 3 THEN 'three' END, coalesce(NULL, 5), nullif(1, 1), greatest(1, 3, 2), least('b', 'a');
