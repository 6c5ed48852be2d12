// What each command does. Not here: bytes in bulk (bulk.go), rendezvous (rendezvous.go).
package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
)

type command struct {
	ID      int    `json:"id"`
	Do      string `json:"do"`
	Address string `json:"address"`
	Peer    string `json:"peer"`
	Up      uint64 `json:"up"`
	Down    uint64 `json:"down"`
	PauseMs uint32 `json:"pauseMs"`
	Topic   string `json:"topic"`
	Data    string `json:"data"`
	// Rendezvous.
	Namespace string `json:"namespace"`
	// Hexadecimal.
	Bytes string `json:"bytes"`
}

func (p *interopPeer) do(ctx context.Context, c command) (map[string]any, error) {
	ctx = network.WithAllowLimitedConn(ctx, "interop")
	switch c.Do {
	case "dial":
		return p.dial(ctx, c.Address)
	case "hangUp":
		id, err := peer.Decode(c.Peer)
		if err != nil {
			return nil, err
		}
		return nil, p.host.Network().ClosePeer(id)
	case "paths":
		id, err := peer.Decode(c.Peer)
		if err != nil {
			return nil, err
		}
		return map[string]any{"paths": p.paths(id)}, nil
	case "ping":
		id, err := peer.Decode(c.Peer)
		if err != nil {
			return nil, err
		}
		select {
		case pong := <-ping.Ping(ctx, p.host, id):
			return map[string]any{"ms": float64(pong.RTT) / float64(time.Millisecond)}, pong.Error
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	case "identify":
		return p.identified(ctx, c.Peer)
	case "bulk":
		return p.bulk(ctx, c)
	case "subscribe":
		return nil, p.subscribe(c.Topic)
	case "publish":
		return nil, p.topics[c.Topic].Publish(ctx, []byte(c.Data))
	case "topicPeers":
		return map[string]any{"peers": append([]peer.ID{}, p.topics[c.Topic].ListPeers()...)}, nil
	case "reserve":
		return p.reserve(ctx, c.Address)
	case "sign":
		return p.sign(c.Bytes)
	case "register":
		return p.register(ctx, c.Address, c.Namespace)
	case "discover":
		return p.discover(ctx, c.Address, c.Namespace)
	case "kadBootstrap":
		_, err := p.dial(ctx, c.Address)
		if err == nil {
			err = p.kad.Bootstrap(ctx)
		}
		return map[string]any{"known": p.kad.RoutingTable().Size()}, err
	case "kadFind":
		id, err := peer.Decode(c.Peer)
		if err != nil {
			return nil, err
		}
		info, err := p.kad.FindPeer(ctx, id)
		return map[string]any{"addresses": info.Addrs}, err
	case "mdnsFind":
		return p.mdnsFound(ctx, c.Peer)
	default:
		return nil, fmt.Errorf("nobody here knows how to %q", c.Do)
	}
}

func (p *interopPeer) dial(ctx context.Context, address string) (map[string]any, error) {
	info, err := peer.AddrInfoFromString(address)
	if err != nil {
		return nil, err
	}
	// Exactly this address, on a connection of its own: what was learned of the peer before is not to be tried.
	p.host.Peerstore().ClearAddrs(info.ID)
	p.host.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.TempAddrTTL)
	// An order is an order: that it failed a moment ago is no reason not to try.
	if network, ok := p.host.Network().(*swarm.Swarm); ok {
		network.Backoff().Clear(info.ID)
	}
	connection, err := p.host.Network().DialPeer(ctx, info.ID)
	if err != nil {
		return nil, err
	}
	state := connection.ConnState()
	return map[string]any{
		"peer":      info.ID.String(),
		"address":   connection.RemoteMultiaddr().String(),
		"transport": state.Transport,
		"security":  state.Security,
		"muxer":     state.StreamMultiplexer,
	}, nil
}

func (p *interopPeer) paths(id peer.ID) []string {
	paths := []string{}
	for _, connection := range p.host.Network().ConnsToPeer(id) {
		paths = append(paths, connection.RemoteMultiaddr().String())
	}
	return paths
}

// identified waits until identify has run on a connection that is there.
func (p *interopPeer) identified(ctx context.Context, text string) (map[string]any, error) {
	id, err := peer.Decode(text)
	if err != nil {
		return nil, err
	}
	for {
		protocols, _ := p.host.Peerstore().GetProtocols(id)
		agent, _ := p.host.Peerstore().Get(id, "AgentVersion")
		if len(protocols) > 0 {
			return map[string]any{"agent": agent, "protocols": protocols, "addresses": p.host.Peerstore().Addrs(id)}, nil
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

func (p *interopPeer) subscribe(name string) error {
	topic, err := p.gossip.Join(name)
	if err != nil {
		return err
	}
	p.topics[name] = topic
	subscription, err := topic.Subscribe(pubsub.WithBufferSize(128))
	if err != nil {
		return err
	}
	go func() {
		for {
			message, err := subscription.Next(context.Background())
			if err != nil {
				return
			}
			if message.GetFrom() == p.host.ID() {
				continue
			}
			say(map[string]any{"event": "message", "topic": name, "from": message.GetFrom().String(), "data": string(message.Data)})
		}
	}()
	return nil
}

func (p *interopPeer) reserve(ctx context.Context, address string) (map[string]any, error) {
	info, err := peer.AddrInfoFromString(address)
	if err != nil {
		return nil, err
	}
	if _, err := p.dial(ctx, address); err != nil {
		return nil, err
	}
	reservation, err := circuit.Reserve(ctx, p.host, *info)
	var refused circuit.ReservationError
	if errors.As(err, &refused) {
		return map[string]any{"status": refused.Status.String()}, nil
	}
	if err != nil {
		return nil, err
	}
	// Who comes before it knows where it is seen from outside stays on the circuit for ever.
	for p.dcutr && !slices.Contains(p.host.Mux().Protocols(), holepunch.Protocol) {
		if err := pause(ctx); err != nil {
			return nil, errors.New("no address of its own to punch a hole to became known")
		}
	}
	return map[string]any{"status": "OK", "addresses": reservation.Addrs, "voucher": reservation.Voucher != nil}, nil
}

func (p *interopPeer) sign(text string) (map[string]any, error) {
	bytes, err := hex.DecodeString(text)
	if err != nil {
		return nil, err
	}
	key := p.host.Peerstore().PrivKey(p.host.ID())
	signature, err := key.Sign(bytes)
	if err != nil {
		return nil, err
	}
	public, err := crypto.MarshalPublicKey(key.GetPublic())
	return map[string]any{"signature": hex.EncodeToString(signature), "publicKey": hex.EncodeToString(public)}, err
}

// mdnsFound waits until the peer was announced with an address that leads through a relay, or, for a relay itself, with any.
func (p *interopPeer) mdnsFound(ctx context.Context, text string) (map[string]any, error) {
	id, err := peer.Decode(text)
	if err != nil {
		return nil, err
	}
	for {
		p.mutex.Lock()
		info, found := p.found[id]
		p.mutex.Unlock()
		if found {
			texts := []string{}
			for _, address := range info.Addrs {
				texts = append(texts, strings.TrimSuffix(address.String(), "/p2p/"+text)+"/p2p/"+text)
			}
			return map[string]any{"addresses": texts}, nil
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(50 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
