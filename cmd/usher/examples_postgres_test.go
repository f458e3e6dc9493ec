//go:build unix

package main

import (
	"testing"

	"usher/scripting/lualib/postgrestest"
)

// TestExampleTicketPostgreSQL: the same scripts run on the other database.
func TestExampleTicketPostgreSQL(t *testing.T) {
	t.Setenv("ADMIN_PASSWORD", "open sesame")
	t.Setenv("USERS_DSN", postgrestest.Start(t))
	e := writeExample(t, "ticket-sql")
	e.replace(t, "usher.yaml", "    users: {driver: sqlite, file: users.db}\n    # users:", "    users:")
	e.serve(t).passwords(t, byTicket, "com.example.invalid_ticket")
}
