// Command go-relay is go-libp2p's circuit-relay-v2 service over WebSocket with every limit off, for the bench beside it (../subjects/go.ts).
// It prints its address, then answers each line of its standard input: "memory" collects garbage and prints what is left. It ends with its input.
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
)

// Above everything that the bench does.
const enough = 20_000

func main() {
	host, err := libp2p.New(
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0/ws"),
		libp2p.Transport(websocket.New),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableRelay(),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer host.Close()
	resources := relay.Resources{
		ReservationTTL:         time.Hour,
		MaxReservations:        enough,
		MaxCircuits:            enough,
		BufferSize:             relay.DefaultResources().BufferSize,
		MaxReservationsPerIP:   enough,
		MaxReservationsPerASN:  enough,
		MaxReservationsPerPeer: enough,
	}
	if _, err := relay.New(host, relay.WithResources(resources), relay.WithInfiniteLimits()); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s/p2p/%s\n", host.Addrs()[0], host.ID())

	questions := bufio.NewScanner(os.Stdin)
	for questions.Scan() {
		debug.FreeOSMemory()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		fmt.Printf("%d\n", stats.HeapAlloc+stats.StackInuse)
	}
}
