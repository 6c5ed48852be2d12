// The client's side of /rendezvous/1.0.0, from its specification and with go-libp2p's own signed records: no maintained Go module has it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	"github.com/multiformats/go-varint"
	"google.golang.org/protobuf/encoding/protowire"
)

const rendezvousProtocol = "/rendezvous/1.0.0"
const maxAnswerBytes = 1 << 20

// Types of message, and the fields that carry them.
const (
	typeRegister         = 0
	typeDiscover         = 3
	fieldType            = 1
	fieldRegister        = 2
	fieldRegisterAnswer  = 3
	fieldDiscover        = 5
	fieldDiscoverAnswer  = 6
	fieldRegistrations   = 1
	fieldRecord          = 2
	fieldRegisterStatus  = 1
	fieldDiscoverStatus  = 3
	fieldNamespace       = 1
	requestedTTL         = 7200
	fieldRegistrationTTL = 3
)

func (p *interopPeer) register(ctx context.Context, address, namespace string) (map[string]any, error) {
	signed, err := record.Seal(peer.PeerRecordFromAddrInfo(*host.InfoFromHost(p.host)), p.host.Peerstore().PrivKey(p.host.ID()))
	if err != nil {
		return nil, err
	}
	envelope, err := signed.Marshal()
	if err != nil {
		return nil, err
	}
	var body []byte
	body = protowire.AppendTag(body, fieldNamespace, protowire.BytesType)
	body = protowire.AppendString(body, namespace)
	body = protowire.AppendTag(body, fieldRecord, protowire.BytesType)
	body = protowire.AppendBytes(body, envelope)
	body = protowire.AppendTag(body, fieldRegistrationTTL, protowire.VarintType)
	body = protowire.AppendVarint(body, requestedTTL)
	answer, err := p.askRendezvous(ctx, address, typeRegister, fieldRegister, body, fieldRegisterAnswer)
	if err != nil {
		return nil, err
	}
	fields, err := fieldsOf(answer)
	if err != nil {
		return nil, err
	}
	return map[string]any{"status": number(fields[fieldRegisterStatus])}, nil
}

func (p *interopPeer) discover(ctx context.Context, address, namespace string) (map[string]any, error) {
	var body []byte
	body = protowire.AppendTag(body, fieldNamespace, protowire.BytesType)
	body = protowire.AppendString(body, namespace)
	answer, err := p.askRendezvous(ctx, address, typeDiscover, fieldDiscover, body, fieldDiscoverAnswer)
	if err != nil {
		return nil, err
	}
	fields, err := fieldsOf(answer)
	if err != nil {
		return nil, err
	}
	if status := number(fields[fieldDiscoverStatus]); status != 0 {
		return nil, fmt.Errorf("rendezvous answered %d", status)
	}
	peers := []map[string]any{}
	for _, registration := range fields[fieldRegistrations] {
		inner, err := fieldsOf(registration)
		if err != nil {
			return nil, err
		}
		if len(inner[fieldRecord]) != 1 {
			return nil, errors.New("a registration has no record")
		}
		_, found, err := record.ConsumeEnvelope(inner[fieldRecord][0], peer.PeerRecordEnvelopeDomain)
		if err != nil {
			return nil, err
		}
		of := found.(*peer.PeerRecord)
		peers = append(peers, map[string]any{"peer": of.PeerID.String(), "addresses": of.Addrs})
	}
	return map[string]any{"peers": peers}, nil
}

func (p *interopPeer) askRendezvous(ctx context.Context, address string, kind uint64, field protowire.Number, body []byte, answerField protowire.Number) ([]byte, error) {
	info, err := peer.AddrInfoFromString(address)
	if err != nil {
		return nil, err
	}
	if err := p.host.Connect(ctx, *info); err != nil {
		return nil, err
	}
	stream, err := p.host.NewStream(ctx, info.ID, rendezvousProtocol)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	if deadline, ok := ctx.Deadline(); ok {
		stream.SetDeadline(deadline)
	}
	message := protowire.AppendTag(nil, fieldType, protowire.VarintType)
	message = protowire.AppendVarint(message, kind)
	message = protowire.AppendTag(message, field, protowire.BytesType)
	message = protowire.AppendBytes(message, body)
	if _, err := stream.Write(append(varint.ToUvarint(uint64(len(message))), message...)); err != nil {
		return nil, err
	}
	reader := byteReader{stream}
	length, err := varint.ReadUvarint(reader)
	if err != nil {
		return nil, err
	}
	if length > maxAnswerBytes {
		return nil, fmt.Errorf("an answer of %d bytes", length)
	}
	answer := make([]byte, length)
	if _, err := io.ReadFull(stream, answer); err != nil {
		return nil, err
	}
	fields, err := fieldsOf(answer)
	if err != nil {
		return nil, err
	}
	if len(fields[answerField]) != 1 {
		return nil, errors.New("the answer is to something else")
	}
	return fields[answerField][0], nil
}

// fieldsOf a message, by number; numbers as they stand in the message.
func fieldsOf(message []byte) (map[protowire.Number][][]byte, error) {
	fields := map[protowire.Number][][]byte{}
	for len(message) > 0 {
		number, kind, tagBytes := protowire.ConsumeTag(message)
		if tagBytes < 0 {
			return nil, protowire.ParseError(tagBytes)
		}
		message = message[tagBytes:]
		valueBytes := protowire.ConsumeFieldValue(number, kind, message)
		if valueBytes < 0 {
			return nil, protowire.ParseError(valueBytes)
		}
		value := message[:valueBytes]
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(value)
		}
		fields[number] = append(fields[number], value)
		message = message[valueBytes:]
	}
	return fields, nil
}

func number(values [][]byte) uint64 {
	if len(values) == 0 {
		return 0
	}
	value, _ := protowire.ConsumeVarint(values[0])
	return value
}

type byteReader struct{ io.Reader }

func (r byteReader) ReadByte() (byte, error) {
	var one [1]byte
	_, err := io.ReadFull(r.Reader, one[:])
	return one[0], err
}
