// Package page is the web page: sessions, their replay, holds to decide on, and what is in force, for people with
// a browser. Pages are made on the server from embedded templates; a little script loads parts and follows
// what is live. Everything goes through api.Guard: the same roles as the API, and every read of a
// session recorded before it is shown. It owns signing in (Logins) and what pages look like.
package page
