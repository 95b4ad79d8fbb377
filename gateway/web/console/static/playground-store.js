// Conversations in this browser's localStorage, one list an account; the server never sees them.
const PREFIX = "playground:";

export class Store {
  constructor(account) {
    this.name = PREFIX + account;
    this.all = [];
    try {
      const found = JSON.parse(localStorage.getItem(this.name) ?? "[]");
      if (Array.isArray(found)) this.all = found.filter((each) => typeof each?.id === "string" && Array.isArray(each.turns));
    } catch { /* what cannot be read is replaced by the next save */ }
  }

  /** Keep a conversation, newest first. False: the storage is full and holds what it held before. */
  save(conversation) {
    const rest = this.all.filter((each) => each.id !== conversation.id);
    this.all = [conversation, ...rest];
    return this.write();
  }

  write() {
    try {
      if (this.all.length) localStorage.setItem(this.name, JSON.stringify(this.all));
      else localStorage.removeItem(this.name);
      return true;
    } catch (error) {
      if (error instanceof DOMException) return false;
      throw error;
    }
  }

  remove(id) {
    this.all = this.all.filter((each) => each.id !== id);
    return this.write();
  }

  clear() {
    this.all = [];
    localStorage.removeItem(this.name);
  }

  /** Bytes that the history takes, as the browser counts them: two for each UTF-16 unit. */
  get size() {
    return 2 * (localStorage.getItem(this.name)?.length ?? 0);
  }

  export() {
    return new Blob([JSON.stringify(this.all, null, 1)], { type: "application/json" });
  }
}
