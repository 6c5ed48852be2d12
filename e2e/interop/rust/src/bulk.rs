//! Bytes in bulk, hashed at both ends, over the test protocol of ../../README.md. A reader waits before it reads, so that who sends must wait as well.

use std::{
    io::{Error, Result},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{Stream, StreamProtocol};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/footbridge-interop/bulk/1");
const CHUNK_BYTES: usize = 64 * 1024;
const HASH_BYTES: usize = 32;

/// The side that did not open the stream. One that fails is reset by being dropped.
pub async fn answer(mut stream: Stream) {
    let _ = answered(&mut stream).await;
}

async fn answered(stream: &mut Stream) -> Result<()> {
    let (mut up, mut down, mut pause) = ([0; 8], [0; 8], [0; 4]);
    stream.read_exact(&mut up).await?;
    stream.read_exact(&mut down).await?;
    stream.read_exact(&mut pause).await?;
    tokio::time::sleep(Duration::from_millis(u32::from_be_bytes(pause).into())).await;
    let received = take(stream, u64::from_be_bytes(up)).await?;
    give(stream, u64::from_be_bytes(down), &AtomicU64::new(0)).await?;
    stream.write_all(&received).await?;
    stream.close().await
}

pub async fn open(mut stream: Stream, up: u64, down: u64, pause_ms: u32) -> Result<Value> {
    stream.write_all(&[&up.to_be_bytes()[..], &down.to_be_bytes(), &pause_ms.to_be_bytes()].concat()).await?;
    let pause = Duration::from_millis(pause_ms.into());
    let written = Arc::new(AtomicU64::new(0));
    let watched = written.clone();
    let unread = tokio::spawn(async move {
        tokio::time::sleep(pause * 9 / 10).await;
        watched.load(Ordering::Relaxed)
    });
    let started_at = Instant::now();
    let sent = give(&mut stream, up, &written).await?;
    stream.flush().await?;
    let up_ms = started_at.elapsed().as_millis() as u64;
    tokio::time::sleep(pause).await;
    let started_at = Instant::now();
    take(&mut stream, down).await?;
    let down_ms = started_at.elapsed().as_millis() as u64;
    let mut theirs = [0; HASH_BYTES];
    stream.read_exact(&mut theirs).await?;
    if theirs != sent {
        return Err(Error::other("other bytes arrived than were sent"));
    }
    stream.close().await?;
    Ok(json!({ "up": up, "down": down, "upMs": up_ms, "downMs": down_ms, "takenUnread": unread.await.unwrap_or_default() }))
}

/// Sends so many bytes and their hash.
async fn give(to: &mut (impl AsyncWrite + Unpin), count: u64, written: &AtomicU64) -> Result<[u8; HASH_BYTES]> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut at = 0;
    while at < count {
        for (index, byte) in chunk.iter_mut().enumerate() {
            *byte = (index as u64 * 7 + at / CHUNK_BYTES as u64 * 13) as u8;
        }
        let part = &chunk[..(count - at).min(CHUNK_BYTES as u64) as usize];
        hash.update(part);
        to.write_all(part).await?;
        // libp2p-webrtc puts the rest of one chunk and the beginning of the next into one message, which it then finds too large and does not send.
        to.flush().await?;
        at += part.len() as u64;
        written.store(at, Ordering::Relaxed);
    }
    let hash: [u8; HASH_BYTES] = hash.finalize().into();
    to.write_all(&hash).await?;
    to.flush().await?;
    Ok(hash)
}

/// Reads so many bytes and their hash, which must be the one of what came.
async fn take(from: &mut (impl AsyncRead + Unpin), count: u64) -> Result<[u8; HASH_BYTES]> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut left = count;
    while left > 0 {
        let wanted = left.min(CHUNK_BYTES as u64) as usize;
        let read = from.read(&mut chunk[..wanted]).await?;
        if read == 0 {
            return Err(Error::other(format!("the stream ended {left} bytes early")));
        }
        hash.update(&chunk[..read]);
        left -= read as u64;
    }
    let mut told = [0; HASH_BYTES];
    from.read_exact(&mut told).await?;
    if told != <[u8; HASH_BYTES]>::from(hash.finalize()) {
        return Err(Error::other("other bytes arrived than were sent"));
    }
    Ok(told)
}
