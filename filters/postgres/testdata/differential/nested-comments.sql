SELECT /* a /* b */ c */ 1 -- end
, 2; /* only */ SELECT 3 /* tail */; -- last
