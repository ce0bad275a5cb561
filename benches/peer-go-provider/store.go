package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	_ "github.com/mattn/go-sqlite3"
)

// store keeps the rows. It opens its file at the first use, so that a plan of new resources touches no disk.
type store struct {
	path string
	once sync.Once
	db   *sql.DB
	err  error
}

type metric struct {
	Goal string   `json:"goal"`
	Min  *float64 `json:"min,omitempty"`
	Max  *float64 `json:"max,omitempty"`
	Unit *string  `json:"unit,omitempty"`
}

// record is one row. Pointers are null when the attribute is not configured.
type record struct {
	Name        string
	Description *string
	Owner       *string
	Task        *string
	Tags        map[string]string
	Metrics     map[string]metric
	CreatedAt   string
}

var errNotFound = errors.New("no such model")

const ddl = `CREATE TABLE IF NOT EXISTS model (
	name TEXT PRIMARY KEY, description TEXT, owner TEXT, task TEXT, tags TEXT, metrics TEXT, created_at TEXT NOT NULL
) WITHOUT ROWID`

func (s *store) open() (*sql.DB, error) {
	s.once.Do(func() {
		if s.err = os.MkdirAll(filepath.Dir(s.path), 0o700); s.err != nil {
			return
		}
		dsn := fmt.Sprintf("file:%s?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=30000&_txlock=immediate", s.path)
		if s.db, s.err = sql.Open("sqlite3", dsn); s.err != nil {
			return
		}
		// One writer: SQLite has one write lock, and waiting for it in Go is cheaper than polling for it.
		s.db.SetMaxOpenConns(1)
		_, s.err = s.db.Exec(ddl)
	})
	return s.db, s.err
}

func asJSON(value any, empty bool) (*string, error) {
	if empty {
		return nil, nil
	}
	bytes, err := json.Marshal(value)
	text := string(bytes)
	return &text, err
}

func (s *store) create(ctx context.Context, r record) error {
	return s.write(ctx, `INSERT INTO model (description, owner, task, tags, metrics, created_at, name) VALUES (?, ?, ?, ?, ?, ?, ?)`, r)
}

func (s *store) update(ctx context.Context, r record) error {
	return s.write(ctx, `UPDATE model SET description = ?, owner = ?, task = ?, tags = ?, metrics = ?, created_at = ? WHERE name = ?`, r)
}

func (s *store) write(ctx context.Context, statement string, r record) error {
	db, err := s.open()
	if err != nil {
		return err
	}
	tags, err := asJSON(r.Tags, r.Tags == nil)
	if err != nil {
		return err
	}
	metrics, err := asJSON(r.Metrics, r.Metrics == nil)
	if err != nil {
		return err
	}
	result, err := db.ExecContext(ctx, statement, r.Description, r.Owner, r.Task, tags, metrics, r.CreatedAt, r.Name)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, errNotFound)
	}
	return nil
}

func (s *store) read(ctx context.Context, name string) (record, error) {
	r := record{Name: name}
	db, err := s.open()
	if err != nil {
		return r, err
	}
	var tags, metrics *string
	row := db.QueryRowContext(ctx, `SELECT description, owner, task, tags, metrics, created_at FROM model WHERE name = ?`, name)
	err = row.Scan(&r.Description, &r.Owner, &r.Task, &tags, &metrics, &r.CreatedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return r, errNotFound
	}
	if err != nil {
		return r, err
	}
	if tags != nil {
		err = json.Unmarshal([]byte(*tags), &r.Tags)
	}
	if metrics != nil {
		err = errors.Join(err, json.Unmarshal([]byte(*metrics), &r.Metrics))
	}
	return r, err
}

func (s *store) delete(ctx context.Context, name string) error {
	db, err := s.open()
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `DELETE FROM model WHERE name = ?`, name)
	return err
}
