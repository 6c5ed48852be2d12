// Command go-peer is a go-libp2p host that knows nothing of ours: it dials an address, pings, opens a stream through a circuit, sends bytes and reads as many
// back. The test beside it (../go-libp2p.test.ts) says what it may find.
//
//	go-peer <address of the bridge> <circuit address of a peer> <bytes>
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand"
	"os"
	"strconv"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
)

const protocol = "/interop/echo/1.0.0"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	bridge, circuit := address(os.Args[1]), address(os.Args[2])
	count, err := strconv.Atoi(os.Args[3])
	check(err)

	host, err := libp2p.New(
		libp2p.NoListenAddrs,
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Transport(websocket.New),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.EnableRelay(),
	)
	check(err)
	defer host.Close()

	check(host.Connect(ctx, *bridge))
	connection := host.Network().ConnsToPeer(bridge.ID)[0]
	state := connection.ConnState()
	pinged := <-ping.Ping(ctx, host, bridge.ID)
	check(pinged.Error)
	say(map[string]any{
		"event":     "connected",
		"transport": state.Transport,
		"security":  state.Security,
		"muxer":     state.StreamMultiplexer,
		"early":     state.UsedEarlyMuxerNegotiation,
		"pingMs":    pinged.RTT.Milliseconds(),
	})

	check(host.Connect(network.WithAllowLimitedConn(ctx, "interop"), *circuit))
	stream, err := host.NewStream(network.WithAllowLimitedConn(ctx, "interop"), circuit.ID, protocol)
	check(err)
	payload := make([]byte, count)
	rand.New(rand.NewSource(1)).Read(payload)
	sent := make(chan error, 1)
	go func() {
		// Of every size: many that share a record, and some that fill several.
		rest := payload
		for size := 1; len(rest) > 0; size = size*3%200_003 + 1 {
			if size > len(rest) {
				size = len(rest)
			}
			if _, err := stream.Write(rest[:size]); err != nil {
				sent <- err
				return
			}
			rest = rest[size:]
		}
		sent <- stream.CloseWrite()
	}()
	received, err := io.ReadAll(stream)
	check(err)
	check(<-sent)
	if !bytes.Equal(received, payload) {
		log.Fatalf("%d bytes came back of %d, or others", len(received), len(payload))
	}
	say(map[string]any{"event": "echoed", "bytes": len(received), "sha256": fmt.Sprintf("%x", sha256.Sum256(received))})
}

func address(text string) *peer.AddrInfo {
	info, err := peer.AddrInfoFromString(text)
	check(err)
	return info
}

func say(event map[string]any) {
	line, err := json.Marshal(event)
	check(err)
	fmt.Println(string(line))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
