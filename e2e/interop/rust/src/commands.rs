//! What each command does. A command that takes time waits in a list, and each event of the host, and each tick, is held against the list.

use std::{
    collections::{HashMap, HashSet},
    str::FromStr,
    time::{Duration, Instant},
};

use libp2p::{
    Multiaddr, PeerId, Swarm,
    core::transport::ListenerId,
    gossipsub::{self, IdentTopic},
    identify,
    identity::Keypair,
    kad, mdns,
    multiaddr::Protocol,
    ping, rendezvous,
    swarm::{ConnectionId, SwarmEvent, dial_opts::DialOpts},
};
use libp2p_stream::Control;
use serde_json::{Value, json};

use crate::{
    bulk,
    node::{Node, NodeEvent},
    say,
};

/// How long any one command may take.
const PATIENCE: Duration = Duration::from_secs(90);

type Answer = Result<Value, String>;

enum Waits {
    Dial(ConnectionId),
    Pong(PeerId),
    Identified(PeerId),
    Reserved(ListenerId),
    Registered(PeerId),
    Discovered(PeerId),
    Bootstrapped(kad::QueryId),
    KadFound(kad::QueryId, PeerId),
    MdnsFound(PeerId),
}

struct Waiting {
    id: u64,
    what: Waits,
    until: Instant,
}

pub struct Desk {
    pub swarm: Swarm<Node>,
    key: Keypair,
    control: Control,
    waiting: Vec<Waiting>,
    paths: HashMap<ConnectionId, (PeerId, Multiaddr)>,
    identified: HashMap<PeerId, identify::Info>,
    found: HashMap<PeerId, HashSet<Multiaddr>>,
    /// What the behaviours were told of others. A look-up in Kademlia gives back only whom it reached itself; who was named on the way is here.
    learned: HashMap<PeerId, HashSet<Multiaddr>>,
}

impl Desk {
    pub fn new(swarm: Swarm<Node>, key: Keypair, control: Control) -> Self {
        Self { swarm, key, control, waiting: Vec::new(), paths: HashMap::new(), identified: HashMap::new(), found: HashMap::new(), learned: HashMap::new() }
    }

    /// Begins a command.
    pub fn take(&mut self, command: Value) {
        let id = command["id"].as_u64().unwrap_or_default();
        match self.begin(&command) {
            Ok(Begun::Done(value)) => answer(id, Ok(value)),
            Ok(Begun::Waits(what)) => self.waiting.push(Waiting { id, what, until: Instant::now() + PATIENCE }),
            Ok(Begun::Spawned(work)) => {
                tokio::spawn(async move { answer(id, work.await) });
            }
            Err(error) => answer(id, Err(error)),
        }
        self.look();
    }

    fn begin(&mut self, command: &Value) -> Result<Begun, String> {
        let text = |name: &str| command[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| command[name].as_u64().unwrap_or_default();
        let peer = || PeerId::from_str(&text("peer")).map_err(told);
        match text("do").as_str() {
            "dial" => self.dial(&text("address")).map(|connection| Begun::Waits(Waits::Dial(connection))),
            "hangUp" => {
                let _ = self.swarm.disconnect_peer_id(peer()?);
                Ok(Begun::Done(json!({})))
            }
            "paths" => {
                let peer = peer()?;
                let paths: Vec<String> = self.paths.values().filter(|(other, _)| *other == peer).map(|(_, address)| address.to_string()).collect();
                Ok(Begun::Done(json!({ "paths": paths })))
            }
            "ping" => Ok(Begun::Waits(Waits::Pong(peer()?))),
            "identify" => Ok(Begun::Waits(Waits::Identified(peer()?))),
            "bulk" => {
                let (peer, mut control) = (peer()?, self.control.clone());
                let (up, down, pause) = (number("up"), number("down"), number("pauseMs") as u32);
                Ok(Begun::Spawned(Box::pin(async move {
                    let work = async {
                        let stream = control.open_stream(peer, bulk::PROTOCOL).await.map_err(told)?;
                        bulk::open(stream, up, down, pause).await.map_err(told)
                    };
                    tokio::time::timeout(PATIENCE, work).await.map_err(told)?
                })))
            }
            "subscribe" => {
                self.swarm.behaviour_mut().gossip.subscribe(&IdentTopic::new(text("topic"))).map_err(told)?;
                Ok(Begun::Done(json!({})))
            }
            "publish" => {
                self.swarm.behaviour_mut().gossip.publish(IdentTopic::new(text("topic")), text("data")).map_err(told)?;
                Ok(Begun::Done(json!({})))
            }
            "topicPeers" => {
                let topic = IdentTopic::new(text("topic")).hash();
                let peers: Vec<String> = self
                    .swarm
                    .behaviour()
                    .gossip
                    .all_peers()
                    .filter(|(_, topics)| topics.contains(&&topic))
                    .map(|(peer, _)| peer.to_string())
                    .collect();
                Ok(Begun::Done(json!({ "peers": peers })))
            }
            "reserve" => {
                let address = Multiaddr::from_str(&text("address")).map_err(told)?.with(Protocol::P2pCircuit);
                self.swarm.listen_on(address).map(|listener| Begun::Waits(Waits::Reserved(listener))).map_err(told)
            }
            "sign" => {
                let bytes = hex::decode(text("bytes")).map_err(told)?;
                let signature = self.key.sign(&bytes).map_err(told)?;
                let public = self.key.public().encode_protobuf();
                Ok(Begun::Done(json!({ "signature": hex::encode(signature), "publicKey": hex::encode(public) })))
            }
            "register" => {
                let (_, at) = split(&text("address"))?;
                let namespace = rendezvous::Namespace::new(text("namespace")).map_err(told)?;
                self.swarm.behaviour_mut().rendezvous.register(namespace, at, None).map_err(told)?;
                Ok(Begun::Waits(Waits::Registered(at)))
            }
            "discover" => {
                let (_, at) = split(&text("address"))?;
                let namespace = rendezvous::Namespace::new(text("namespace")).map_err(told)?;
                self.swarm.behaviour_mut().rendezvous.discover(Some(namespace), None, None, at);
                Ok(Begun::Waits(Waits::Discovered(at)))
            }
            "kadBootstrap" => {
                let (address, peer) = split(&text("address"))?;
                let kad = self.kad()?;
                kad.add_address(&peer, address);
                kad.bootstrap().map(|query| Begun::Waits(Waits::Bootstrapped(query))).map_err(told)
            }
            "kadFind" => {
                let peer = peer()?;
                let query = self.kad()?.get_closest_peers(peer);
                Ok(Begun::Waits(Waits::KadFound(query, peer)))
            }
            "mdnsFind" => Ok(Begun::Waits(Waits::MdnsFound(peer()?))),
            other => Err(format!("nobody here knows how to {other:?}")),
        }
    }

    fn dial(&mut self, text: &str) -> Result<ConnectionId, String> {
        let address = Multiaddr::from_str(text).map_err(told)?;
        let options: DialOpts = address.into();
        let connection = options.connection_id();
        self.swarm.dial(options).map_err(told)?;
        Ok(connection)
    }

    fn kad(&mut self) -> Result<&mut kad::Behaviour<kad::store::MemoryStore>, String> {
        self.swarm.behaviour_mut().kad.as_mut().ok_or_else(|| "there is no Kademlia here".into())
    }

    /// Holds an event against what waits.
    pub fn happened(&mut self, event: SwarmEvent<NodeEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                let address = endpoint.get_remote_address().clone();
                self.paths.insert(connection_id, (peer_id, address.clone()));
                let found = json!({ "peer": peer_id.to_string(), "address": address.to_string() });
                self.settle(|what| matches!(what, Waits::Dial(id) if *id == connection_id).then(|| Ok(found.clone())));
            }
            SwarmEvent::ConnectionClosed { connection_id, .. } => {
                self.paths.remove(&connection_id);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                let error = told(error);
                self.settle(|what| matches!(what, Waits::Dial(id) if *id == connection_id).then(|| Err(error.clone())));
            }
            SwarmEvent::NewListenAddr { listener_id, address } => {
                self.swarm.add_external_address(address.clone());
                let done = json!({ "status": "OK", "addresses": [address.to_string()] });
                self.settle(|what| matches!(what, Waits::Reserved(id) if *id == listener_id).then(|| Ok(done.clone())));
            }
            SwarmEvent::ListenerClosed { listener_id, reason, .. } => {
                let status = json!({ "status": format!("{reason:?}") });
                self.settle(|what| matches!(what, Waits::Reserved(id) if *id == listener_id).then(|| Ok(status.clone())));
            }
            SwarmEvent::NewExternalAddrOfPeer { peer_id, address } => {
                self.learned.entry(peer_id).or_default().insert(address);
            }
            SwarmEvent::Behaviour(event) => self.told_by(event),
            _ => {}
        }
    }

    fn told_by(&mut self, event: NodeEvent) {
        match event {
            NodeEvent::Ping(ping::Event { peer, result, .. }) => {
                let result = result.map(|rtt| json!({ "ms": rtt.as_secs_f64() * 1_000.0 })).map_err(told);
                self.settle(|what| matches!(what, Waits::Pong(other) if *other == peer).then(|| result.clone()));
            }
            NodeEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.identified.insert(peer_id, info);
            }
            NodeEvent::Gossip(gossipsub::Event::Message { message, .. }) => say(&json!({
                "event": "message",
                "topic": message.topic.to_string(),
                "from": message.source.map(|peer| peer.to_string()),
                "data": String::from_utf8_lossy(&message.data),
            })),
            NodeEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (peer, address) in found {
                    self.found.entry(peer).or_default().insert(address);
                }
            }
            NodeEvent::Rendezvous(event) => self.rendezvous(event),
            NodeEvent::Kad(kad::Event::OutboundQueryProgressed { id, result, step, .. }) => self.kad_progressed(id, result, step.last),
            _ => {}
        }
        self.look();
    }

    fn rendezvous(&mut self, event: rendezvous::client::Event) {
        use rendezvous::client::Event;
        match event {
            Event::Registered { rendezvous_node, .. } => {
                self.settle(|what| matches!(what, Waits::Registered(at) if *at == rendezvous_node).then(|| Ok(json!({ "status": 0 }))))
            }
            Event::RegisterFailed { rendezvous_node, error, .. } => {
                self.settle(|what| matches!(what, Waits::Registered(at) if *at == rendezvous_node).then(|| Err(format!("{error:?}"))))
            }
            Event::Discovered { rendezvous_node, registrations, .. } => {
                let peers: Vec<Value> = registrations
                    .iter()
                    .map(|registration| {
                        let addresses: Vec<String> = registration.record.addresses().iter().map(ToString::to_string).collect();
                        json!({ "peer": registration.record.peer_id().to_string(), "addresses": addresses })
                    })
                    .collect();
                self.settle(|what| matches!(what, Waits::Discovered(at) if *at == rendezvous_node).then(|| Ok(json!({ "peers": peers }))));
            }
            Event::DiscoverFailed { rendezvous_node, error, .. } => {
                self.settle(|what| matches!(what, Waits::Discovered(at) if *at == rendezvous_node).then(|| Err(format!("{error:?}"))))
            }
            Event::Expired { .. } => {}
        }
    }

    fn kad_progressed(&mut self, id: kad::QueryId, result: kad::QueryResult, last: bool) {
        match result {
            kad::QueryResult::Bootstrap(result) if last => {
                let result = result.map(|_| json!({})).map_err(told);
                self.settle(|what| matches!(what, Waits::Bootstrapped(query) if *query == id).then(|| result.clone()));
            }
            kad::QueryResult::GetClosestPeers(result) if last => {
                let closest = match result {
                    Ok(ok) => ok.peers,
                    Err(kad::GetClosestPeersError::Timeout { peers, .. }) => peers,
                };
                let learned = self.learned.clone();
                self.settle(|what| match what {
                    Waits::KadFound(query, peer) if *query == id => {
                        let named = learned.get(peer).into_iter().flatten();
                        let reached = closest.iter().filter(|found| found.peer_id == *peer).flat_map(|found| &found.addrs);
                        let addresses: HashSet<String> = named.chain(reached).map(ToString::to_string).collect();
                        Some(if addresses.is_empty() { Err(format!("named by none of {} peers", closest.len())) } else { Ok(json!({ "addresses": addresses })) })
                    }
                    _ => None,
                });
            }
            _ => {}
        }
    }

    /// Looks what of the waiting is there by now, or late.
    pub fn look(&mut self) {
        let (identified, found, now) = (&self.identified, &self.found, Instant::now());
        self.waiting.retain(|waiting| {
            let settled = match &waiting.what {
                Waits::Identified(peer) => identified.get(peer).map(|info| {
                    Ok(json!({
                        "agent": info.agent_version,
                        "protocols": info.protocols.iter().map(ToString::to_string).collect::<Vec<_>>(),
                        "addresses": info.listen_addrs.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    }))
                }),
                Waits::MdnsFound(peer) => found
                    .get(peer)
                    .map(|addresses| Ok(json!({ "addresses": addresses.iter().map(ToString::to_string).collect::<Vec<_>>() }))),
                _ => None,
            };
            let settled = settled.or_else(|| (waiting.until < now).then(|| Err(format!("nothing in {} s", PATIENCE.as_secs()))));
            match settled {
                Some(result) => {
                    answer(waiting.id, result);
                    false
                }
                None => true,
            }
        });
    }

    fn settle(&mut self, fits: impl Fn(&Waits) -> Option<Answer>) {
        self.waiting.retain(|waiting| match fits(&waiting.what) {
            Some(result) => {
                answer(waiting.id, result);
                false
            }
            None => true,
        });
    }
}

enum Begun {
    Done(Value),
    Waits(Waits),
    Spawned(futures::future::BoxFuture<'static, Answer>),
}

fn answer(id: u64, result: Answer) {
    let mut event = match result {
        Ok(value) => value,
        Err(error) => json!({ "error": error }),
    };
    event["event"] = if event.get("error").is_some() { "failed" } else { "done" }.into();
    event["id"] = id.into();
    say(&event);
}

/// An address without its peer, and the peer.
fn split(text: &str) -> Result<(Multiaddr, PeerId), String> {
    let mut address = Multiaddr::from_str(text).map_err(told)?;
    match address.pop() {
        Some(Protocol::P2p(peer)) => Ok((address, peer)),
        _ => Err(format!("{text} names no peer")),
    }
}

fn told(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}
