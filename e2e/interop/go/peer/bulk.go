// Bytes in bulk, hashed at both ends, over the test protocol of ../../README.md. A reader waits before it reads, so that who sends must wait as well.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

const bulkProtocol = "/footbridge-interop/bulk/1"
const headerBytes = 20
const chunkBytes = 64 * 1024

// answerBulk is the side that did not open the stream.
func answerBulk(stream network.Stream) {
	defer stream.Close()
	header := make([]byte, headerBytes)
	if _, err := io.ReadFull(stream, header); err != nil {
		stream.Reset()
		return
	}
	up, down := binary.BigEndian.Uint64(header), binary.BigEndian.Uint64(header[8:])
	time.Sleep(time.Duration(binary.BigEndian.Uint32(header[16:])) * time.Millisecond)
	received, err := take(stream, up)
	if err != nil {
		stream.Reset()
		return
	}
	var written atomic.Uint64
	if err := give(stream, down, &written); err != nil {
		stream.Reset()
		return
	}
	stream.Write(received)
}

func (p *interopPeer) bulk(ctx context.Context, c command) (map[string]any, error) {
	id, err := peer.Decode(c.Peer)
	if err != nil {
		return nil, err
	}
	stream, err := p.host.NewStream(ctx, id, bulkProtocol)
	if err != nil {
		return nil, err
	}
	defer stream.Reset()
	deadline, _ := ctx.Deadline()
	stream.SetDeadline(deadline)
	header := make([]byte, headerBytes)
	binary.BigEndian.PutUint64(header, c.Up)
	binary.BigEndian.PutUint64(header[8:], c.Down)
	binary.BigEndian.PutUint32(header[16:], c.PauseMs)
	if _, err := stream.Write(header); err != nil {
		return nil, err
	}
	pause := time.Duration(c.PauseMs) * time.Millisecond
	var written, beforeReading atomic.Uint64
	time.AfterFunc(pause*9/10, func() { beforeReading.Store(written.Load()) })
	startedAt := time.Now()
	if err := give(stream, c.Up, &written); err != nil {
		return nil, err
	}
	stream.CloseWrite()
	upMs := time.Since(startedAt).Milliseconds()
	time.Sleep(pause)
	startedAt = time.Now()
	if _, err := take(stream, c.Down); err != nil {
		return nil, err
	}
	downMs := time.Since(startedAt).Milliseconds()
	theirs := make([]byte, sha256.Size)
	if _, err := io.ReadFull(stream, theirs); err != nil {
		return nil, err
	}
	mine := sha256.New()
	fill(c.Up, func(chunk []byte) error { mine.Write(chunk); return nil })
	if !bytes.Equal(theirs, mine.Sum(nil)) {
		return nil, errors.New("other bytes arrived than were sent: " + hex.EncodeToString(theirs))
	}
	return map[string]any{"up": c.Up, "down": c.Down, "upMs": upMs, "downMs": downMs, "takenUnread": beforeReading.Load()}, nil
}

// give sends so many bytes and their hash.
func give(writer io.Writer, count uint64, written *atomic.Uint64) error {
	hash := sha256.New()
	err := fill(count, func(chunk []byte) error {
		hash.Write(chunk)
		n, err := writer.Write(chunk)
		written.Add(uint64(n))
		return err
	})
	if err != nil {
		return err
	}
	_, err = writer.Write(hash.Sum(nil))
	return err
}

// take reads so many bytes and their hash, which must be the one of what came.
func take(reader io.Reader, count uint64) ([]byte, error) {
	hash := sha256.New()
	if _, err := io.CopyN(hash, reader, int64(count)); err != nil {
		return nil, err
	}
	told := make([]byte, sha256.Size)
	if _, err := io.ReadFull(reader, told); err != nil {
		return nil, err
	}
	if !bytes.Equal(told, hash.Sum(nil)) {
		return nil, errors.New("other bytes arrived than were sent")
	}
	return told, nil
}

func fill(count uint64, each func([]byte) error) error {
	chunk := make([]byte, chunkBytes)
	for at := uint64(0); at < count; at += chunkBytes {
		for index := range chunk {
			chunk[index] = byte(uint64(index)*7 + at/chunkBytes*13)
		}
		if err := each(chunk[:min(chunkBytes, count-at)]); err != nil {
			return err
		}
	}
	return nil
}
