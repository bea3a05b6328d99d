// Which moment of the round is shown: that of the current round, of a replay, or one that was chosen.

const REPLAY_MILLISECONDS = 8000;
const CATCH_UP = 0.08; // of the way to the latest news in each frame: news come in steps, time does not

export class Clock {
  constructor() {
    this.seconds = 0;
    this.length = 0;
    this.live = null; // news of the current round, and when they came
    this.replaying = null; // when the replay began and from which moment
    this.held = false; // whether the reader has taken it in hand: then news do not move it
  }

  // a round of `seconds` is shown; `underWay` is null once it is complete
  show(length, underWay, isNew) {
    this.length = length;
    if (isNew) {
      this.release();
      this.seconds = underWay ? 0 : length;
    } else if (!underWay && this.live) this.seconds = length;
    this.live = underWay && !this.held ? { news: underWay, came: performance.now() } : null;
  }

  choose(seconds) {
    this.hold();
    this.seconds = seconds;
  }

  replay() {
    const from = this.seconds < this.length ? this.seconds : 0;
    this.hold();
    this.replaying = { began: performance.now(), from };
  }

  hold() {
    this.held = true;
    this.live = this.replaying = null;
  }

  release() {
    this.held = false;
    this.replaying = null;
  }

  pause() {
    this.replaying = null;
  }

  // move on to now; whether there is more to come
  tick() {
    if (this.live) {
      const { news, came } = this.live;
      const gone = (performance.now() - came) / 1000;
      const there = news.elapsed_seconds === null ? news.share * this.length : news.elapsed_seconds + gone / news.dilation;
      this.seconds += (Math.min(there, this.length) - this.seconds) * CATCH_UP;
      return true;
    }
    if (this.replaying) {
      const gone = (performance.now() - this.replaying.began) / REPLAY_MILLISECONDS;
      this.seconds = Math.min(this.replaying.from + gone * this.length, this.length);
      if (this.seconds >= this.length) this.replaying = null;
      return true;
    }
    return false;
  }
}
