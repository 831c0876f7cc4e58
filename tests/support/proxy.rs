//! A proxy that speaks enough of Kafka's protocol to hold back the end of a transaction: the request,
//! so that the broker hears of it late or from a process that is no more, or its answer, so that
//! nobody knows whether it happened.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// `EndTxn`: commits or aborts a transaction.
const END_TXN: [u8; 2] = 26_u16.to_be_bytes();
/// Connections at once; more are refused.
const CONNECTIONS: usize = 256;
/// The largest request or answer that is passed on.
const LARGEST: usize = 256 << 20;
const CONNECT: Duration = Duration::from_secs(10);

/// What is held back of the next end of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// The request.
    Request,
    /// The broker's answer.
    Answer,
}

#[derive(Default)]
struct State {
    /// What the next end of a transaction meets with.
    next: Option<Held>,
    /// Ends of transactions that were held back so far.
    held: usize,
    /// How often what was held back was let go.
    released: usize,
}

struct Shared {
    upstream: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
    connections: AtomicUsize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_released(&self, since: usize) {
        let mut state = self.lock();
        while state.released == since {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Stands before a broker that names this address as its own.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Passes everything on to `upstream`, which need not be up yet. It ends with the test's process.
    pub(crate) fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (state, changed) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { upstream, state, changed, connections: 0.into() });
        let accepted = Arc::clone(&shared);
        spawn("proxy", move || {
            for client in listener.incoming().flatten() {
                accept(&accepted, client);
            }
        });
        Self { address, shared }
    }

    /// `host:port` that clients connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Holds back the next end of a transaction.
    pub(crate) fn hold(&self, what: Held) {
        self.shared.lock().next = Some(what);
    }

    /// How many ends of transactions were held back so far.
    pub(crate) fn held(&self) -> usize {
        self.shared.lock().held
    }

    /// Lets go what is held back.
    pub(crate) fn release(&self) {
        self.shared.lock().released += 1;
        self.shared.changed.notify_all();
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().name(name.into()).spawn(body).expect("a thread");
}

fn accept(shared: &Arc<Shared>, client: TcpStream) {
    if shared.connections.fetch_add(1, Ordering::AcqRel) >= CONNECTIONS {
        shared.connections.fetch_sub(1, Ordering::AcqRel);
        return;
    }
    let shared = Arc::clone(shared);
    spawn("proxied", move || {
        if let Ok(broker) = TcpStream::connect_timeout(&shared.upstream, CONNECT) {
            serve(&shared, &client, &broker);
        }
        shared.connections.fetch_sub(1, Ordering::AcqRel);
    });
}

/// Answers that wait: since which release.
type Gate = Arc<Mutex<Option<usize>>>;

fn serve(shared: &Arc<Shared>, client: &TcpStream, broker: &TcpStream) {
    client.set_nodelay(true).ok();
    broker.set_nodelay(true).ok();
    let gate = Gate::default();
    let (Ok(from), Ok(to)) = (broker.try_clone(), client.try_clone()) else {
        return;
    };
    let (answers, held) = (Arc::clone(shared), Arc::clone(&gate));
    let backwards = std::thread::Builder::new().name("answers".into()).spawn(move || {
        pass(&from, &to, |_| {
            let since = held.lock().unwrap_or_else(PoisonError::into_inner).take();
            since.into_iter().for_each(|since| answers.wait_released(since));
        });
        to.shutdown(Shutdown::Both).ok();
    });
    pass(client, broker, |request| {
        if request.get(4..6) != Some(END_TXN.as_slice()) {
            return;
        }
        let mut state = shared.lock();
        let since = state.released;
        let held = state.next.take();
        state.held += usize::from(held.is_some());
        drop(state);
        match held {
            Some(Held::Request) => shared.wait_released(since),
            Some(Held::Answer) => {
                *gate.lock().unwrap_or_else(PoisonError::into_inner) = Some(since);
            }
            None => {}
        }
    });
    broker.shutdown(Shutdown::Both).ok();
    if let Ok(thread) = backwards {
        thread.join().ok();
    }
}

/// Passes frames on, each after `look` has seen it, until either side ends.
fn pass(mut from: &TcpStream, mut to: &TcpStream, look: impl Fn(&[u8])) {
    let mut frame = Vec::new();
    loop {
        let mut length = [0; 4];
        if from.read_exact(&mut length).is_err() {
            return;
        }
        let size = u32::from_be_bytes(length) as usize;
        if size > LARGEST {
            return;
        }
        frame.clear();
        frame.extend(length);
        frame.resize(4 + size, 0);
        if from.read_exact(&mut frame[4..]).is_err() {
            return;
        }
        look(&frame);
        if to.write_all(&frame).is_err() {
            return;
        }
    }
}
