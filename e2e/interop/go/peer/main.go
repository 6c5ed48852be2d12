// Command peer is a go-libp2p host that does what it is told, one JSON command a line, and says what happened, one JSON event a line: the line protocol of
// ../../README.md. It knows nothing of Footbridge but the public protocols of libp2p.
//
//	peer <settings as JSON>
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	"github.com/libp2p/go-libp2p/p2p/host/observedaddrs"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
)

// How long any one command may take.
const patience = 90 * time.Second

type settings struct {
	Listen []string `json:"listen"`
	// Serves as a relay for anybody.
	Relay bool `json:"relay"`
	// The protocol of Kademlia, without /kad/1.0.0; empty for none.
	KadPrefix string `json:"kadPrefix"`
	// The service name of mDNS, as others write it, with .local; empty for none.
	MdnsTag string `json:"mdnsTag"`
	// Punches holes.
	Dcutr bool `json:"dcutr"`
}

type interopPeer struct {
	host   host.Host
	dcutr  bool
	gossip *pubsub.PubSub
	topics map[string]*pubsub.Topic
	kad    *dht.IpfsDHT
	mutex  sync.Mutex
	// By mDNS.
	found map[peer.ID]peer.AddrInfo
}

func main() {
	ctx := context.Background()
	var given settings
	check(json.Unmarshal([]byte(os.Args[1]), &given))

	options := []libp2p.Option{libp2p.ListenAddrStrings(given.Listen...), libp2p.UserAgent("footbridge-interop/go")}
	if given.Relay {
		resources := relay.DefaultResources()
		resources.Limit = nil
		options = append(options, libp2p.ForceReachabilityPublic(), libp2p.EnableRelayService(relay.WithResources(resources), relay.WithInfiniteLimits()))
	}
	if given.Dcutr {
		// By default four others must have seen an address before it is believed; a relay alone is one.
		observedaddrs.ActivationThresh = 1
		options = append(options, libp2p.EnableHolePunching(), libp2p.ForceReachabilityPrivate())
	}
	h, err := libp2p.New(options...)
	check(err)
	p := &interopPeer{host: h, dcutr: given.Dcutr, topics: map[string]*pubsub.Topic{}, found: map[peer.ID]peer.AddrInfo{}}
	h.SetStreamHandler(bulkProtocol, answerBulk)
	p.gossip, err = pubsub.NewGossipSub(ctx, h)
	check(err)
	if given.KadPrefix != "" {
		p.kad, err = dht.New(h, dht.Mode(dht.ModeServer), dht.ProtocolPrefix(protocol.ID(given.KadPrefix)), dht.AddressFilter(nil))
		check(err)
	}
	if given.MdnsTag != "" {
		check(mdns.NewMdnsService(h, strings.TrimSuffix(given.MdnsTag, ".local"), p).Start())
	}
	addresses, err := peer.AddrInfoToP2pAddrs(host.InfoFromHost(h))
	check(err)
	say(map[string]any{"event": "ready", "peer": h.ID().String(), "addresses": addresses})

	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var command command
		check(json.Unmarshal(lines.Bytes(), &command))
		go func() {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			answer, err := p.do(ctx, command)
			if err != nil {
				say(map[string]any{"event": "failed", "id": command.ID, "error": err.Error()})
				return
			}
			if answer == nil {
				answer = map[string]any{}
			}
			answer["event"], answer["id"] = "done", command.ID
			say(answer)
		}()
	}
	h.Close()
}

// HandlePeerFound is what mDNS calls.
func (p *interopPeer) HandlePeerFound(info peer.AddrInfo) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	known := p.found[info.ID]
	known.ID = info.ID
	known.Addrs = append(known.Addrs, info.Addrs...)
	p.found[info.ID] = known
}

var output sync.Mutex

func say(event map[string]any) {
	line, err := json.Marshal(event)
	check(err)
	output.Lock()
	defer output.Unlock()
	fmt.Println(string(line))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
