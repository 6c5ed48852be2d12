//! The host: every transport that rust-libp2p has outside a browser, and the behaviours that the settings ask for.

use std::{error::Error, time::Duration};

use futures::StreamExt;
use libp2p::{
    Multiaddr, StreamProtocol, Swarm, SwarmBuilder, Transport,
    core::upgrade::Version,
    dcutr, gossipsub, identify, kad, mdns, noise, ping, relay, rendezvous,
    swarm::{NetworkBehaviour, SwarmEvent, behaviour::toggle::Toggle},
    tcp, tls, websocket, yamux,
};
use libp2p::identity::Keypair;
use libp2p_stream as stream;
use serde_json::Value;

/// Longer than any command.
const IDLE: Duration = Duration::from_secs(300);
/// The relay's limits are not what is looked at.
const ENOUGH: usize = 1_000;

#[derive(NetworkBehaviour)]
pub struct Node {
    pub dcutr: Toggle<dcutr::Behaviour>,
    pub gossip: gossipsub::Behaviour,
    pub identify: identify::Behaviour,
    pub kad: Toggle<kad::Behaviour<kad::store::MemoryStore>>,
    pub mdns: Toggle<mdns::tokio::Behaviour>,
    pub ping: ping::Behaviour,
    pub relay: Toggle<relay::Behaviour>,
    pub relay_client: relay::client::Behaviour,
    pub rendezvous: rendezvous::client::Behaviour,
    pub rendezvous_server: Toggle<rendezvous::server::Behaviour>,
    pub stream: stream::Behaviour,
}

/// Not listening yet.
pub fn build(settings: &Value) -> Result<(Swarm<Node>, Keypair), Box<dyn Error>> {
    let wants = |name: &str| settings[name].as_bool() == Some(true);
    let key = Keypair::generate_ed25519();
    let swarm = SwarmBuilder::with_existing_identity(key.clone())
        .with_tokio()
        .with_tcp(tcp::Config::default(), (noise::Config::new, tls::Config::new), yamux::Config::default)?
        .with_quic()
        .with_other_transport(|key| {
            websocket::Config::new(tcp::tokio::Transport::new(tcp::Config::default()))
                .upgrade(Version::V1Lazy)
                .authenticate(noise::Config::new(key).expect("an Ed25519 key"))
                .multiplex(yamux::Config::default())
        })?
        .with_other_transport(|key| {
            let certificate = libp2p_webrtc::tokio::Certificate::generate(&mut rand::rng()).expect("a certificate");
            libp2p_webrtc::tokio::Transport::new(key.clone(), certificate)
                .map(|(peer, connection), _| (peer, libp2p::core::muxing::StreamMuxerBox::new(connection)))
        })?
        .with_relay_client((noise::Config::new, tls::Config::new), yamux::Config::default)?
        .with_behaviour(|key, relay_client| {
            let me = key.public().to_peer_id();
            let gossip = gossipsub::ConfigBuilder::default().build().expect("the defaults");
            let kad_protocol = settings["kadPrefix"].as_str().filter(|prefix| !prefix.is_empty());
            Node {
                dcutr: wants("dcutr").then(|| dcutr::Behaviour::new(me)).into(),
                gossip: gossipsub::Behaviour::new(gossipsub::MessageAuthenticity::Signed(key.clone()), gossip).expect("the defaults"),
                identify: identify::Behaviour::new(
                    if wants("signedRecord") {
                        identify::Config::new_with_signed_peer_record("ipfs/0.1.0".into(), key)
                    } else {
                        identify::Config::new("ipfs/0.1.0".into(), key.public())
                    }
                    .with_agent_version("footbridge-interop/rust".into()),
                ),
                kad: kad_protocol
                    .map(|prefix| {
                        let protocol = StreamProtocol::try_from_owned(format!("{prefix}/kad/1.0.0")).expect("a protocol's name");
                        let mut kad = kad::Behaviour::with_config(me, kad::store::MemoryStore::new(me), kad::Config::new(protocol));
                        kad.set_mode(Some(kad::Mode::Server));
                        kad
                    })
                    .into(),
                mdns: settings["mdnsTag"]
                    .as_str()
                    .filter(|tag| !tag.is_empty())
                    .map(|_| mdns::tokio::Behaviour::new(mdns::Config::default(), me).expect("a socket for mDNS"))
                    .into(),
                ping: ping::Behaviour::new(ping::Config::new().with_interval(Duration::from_secs(1))),
                relay: wants("relay")
                    .then(|| {
                        let limits = relay::Config {
                            max_circuit_bytes: 0,
                            max_circuits: ENOUGH,
                            max_circuits_per_peer: ENOUGH,
                            ..Default::default()
                        };
                        relay::Behaviour::new(me, limits)
                    })
                    .into(),
                relay_client,
                rendezvous: rendezvous::client::Behaviour::new(key.clone()),
                rendezvous_server: wants("rendezvous").then(|| rendezvous::server::Behaviour::new(Default::default())).into(),
                stream: stream::Behaviour::new(),
            }
        })?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE))
        .build();
    Ok((swarm, key))
}

/// Listens where the settings say. They are its external addresses as well: whoever tests it is on the same network.
pub async fn listen(swarm: &mut Swarm<Node>, settings: &Value) -> Result<Vec<Multiaddr>, Box<dyn Error>> {
    let wanted = settings["listen"].as_array().cloned().unwrap_or_default();
    for address in &wanted {
        swarm.listen_on(address.as_str().unwrap_or_default().parse()?)?;
    }
    let mut listening = Vec::new();
    while listening.len() < wanted.len() {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { address, .. } => {
                swarm.add_external_address(address.clone());
                listening.push(address);
            }
            SwarmEvent::ListenerError { error, .. } => return Err(error.into()),
            _ => {}
        }
    }
    Ok(listening)
}
